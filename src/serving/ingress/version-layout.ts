import { byteSize, ENSEMBLE_PLATFORM, type ModelSpec, type TensorSpec } from '../../core/index.js';

/** How the tensors of one version lie in a call's descriptor and slot; both sides compute it from the spec. */
export interface VersionLayout {
  readonly spec: ModelSpec;
  readonly batched: boolean;
  /** It is an ensemble. */
  readonly steps: boolean;
  readonly inputs: readonly InputLayout[];
  /** Bytes that one row of each output takes; undefined where some output's size is known only when it is computed. */
  readonly outputRowBytes: readonly number[] | undefined;
}

export interface InputLayout {
  readonly spec: TensorSpec;
  /** Undefined: every dimension but the batch axis is the spec's. Else the dimensions that a descriptor carries. */
  readonly dimensions: number | undefined;
}

export function versionLayout(spec: ModelSpec): VersionLayout {
  const inputs = spec.inputs.map((input) => ({
    spec: input,
    dimensions: input.dims.includes(-1) ? input.dims.length : undefined,
  }));
  const sized = spec.outputs.every((output) => output.dataType !== 'BYTES' && !output.dims.includes(-1));
  return {
    spec,
    batched: spec.maxBatchSize > 0,
    steps: spec.platform === ENSEMBLE_PLATFORM,
    inputs,
    outputRowBytes: sized ? spec.outputs.map((output) => byteSize(output.dataType, output.dims)) : undefined,
  };
}

/** The shape of a tensor whose dimensions are the spec's. */
export function fixedShape({ batched }: VersionLayout, dims: readonly number[], rows: number): readonly number[] {
  return batched ? [rows, ...dims] : dims;
}

/** Bytes of a slot's part that begins at a multiple of 8, so that every data type is aligned. */
export function slotBytes(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

/** Bytes of all outputs of a call, each in its part; undefined where they are not known before. */
export function outputBytes(layout: VersionLayout, rows: number): number | undefined {
  if (layout.outputRowBytes === undefined) return undefined;
  let bytes = 0;
  for (const rowBytes of layout.outputRowBytes) bytes += slotBytes(rowBytes * rows);
  return bytes;
}

/** Whether an output is as its spec says, so that its shape need not be told. */
export function isAsDeclared(
  layout: VersionLayout,
  output: TensorSpec,
  shape: readonly number[],
  rows: number,
): boolean {
  const offset = layout.batched ? 1 : 0;
  if (shape.length !== output.dims.length + offset || (offset === 1 && shape[0] !== rows)) return false;
  for (let axis = 0; axis < output.dims.length; axis++) if (output.dims[axis] !== shape[axis + offset]) return false;
  return true;
}
