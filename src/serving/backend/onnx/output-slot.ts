import { DATA_TYPES, elementCount, type Tensor, type TensorSpec } from '../../../core/index.js';
import { AllocatedOutput } from './allocated-output.js';
import { FollowingOutput } from './following-output.js';
import { MAX_CACHED_ROWS, PREALLOCATED_BYTES } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import type { Address, NativeMemory } from './native-memory.js';
import { PreallocatedOutput } from './preallocated-output.js';
import type { ShapedInput, ShapeRule } from './shape-rule.js';
import { fixedDims } from './tensor-shape.js';

/** One output of a lane. */
export interface OutputSlot {
  readonly name: NativeMemory;
  /** The OrtValue that ONNX Runtime shall write in a run over `inputs`, or 0 where it allocates one itself. */
  bind(rows: number, inputs: readonly ShapedInput[]): Address;
  /**
   * The output of a finished run: a view of the lane's memory, valid until the next run, longer for who keeps it (`lend`).
   * `value` is what the run left in the slot's place; where ONNX Runtime made it, it is released here. Throws
   * `OUTPUT_SHAPE_MISMATCH`.
   */
  read(value: Address, rows: number): Tensor;
  /** Releases a value that a failed run may have left. */
  discard(value: Address): void;
  /**
   * A run failed because an output had another shape than it was bound with. True where this one had taken the model's word for
   * it: from now on ONNX Runtime allocates it, so the run may be tried again.
   */
  mistrust?(): boolean;
  close(): void;
}

/**
 * Fixed shapes, and those that follow from the inputs' by the names of axes, are written in place by ONNX Runtime; all others
 * are allocated by it and copied once.
 */
export function createOutputSlot(
  library: OrtLibrary,
  spec: TensorSpec,
  maxBatchSize: number,
  rule: ShapeRule | undefined,
): OutputSlot {
  const rowBytes = elementCount(spec.modelDims) * DATA_TYPES[spec.dataType].elementBytes;
  const preallocated =
    spec.dataType !== 'BYTES' &&
    fixedDims(spec.modelDims) &&
    maxBatchSize <= MAX_CACHED_ROWS &&
    rowBytes * Math.max(1, maxBatchSize) <= PREALLOCATED_BYTES;
  if (preallocated) return new PreallocatedOutput(library, spec, maxBatchSize, rowBytes);
  const batched = maxBatchSize > 0;
  return rule === undefined
    ? new AllocatedOutput(library, spec, batched)
    : new FollowingOutput(library, spec, batched, rule);
}
