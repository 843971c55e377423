import type { ModelSpec } from '../../../core/index.js';
import type { OrtLibrary } from './library.js';
import { type Axis, readAxes } from './signature.js';

/** One axis of an output: its size, the rows of the execution, or the size of an input's axis. */
type AxisRule = number | 'rows' | { readonly input: number; readonly axis: number };

/** An input whose shape in the run in hand is known. */
export interface ShapedInput {
  /** As the model has it, batch axis included; of what was filled in last. */
  readonly shape: readonly number[];
}

/**
 * How the shape of an output follows from those of the inputs, as the model file says by naming axes (ONNX's `dim_param`: axes of
 * one name have one size). A file may be wrong: ONNX Runtime checks it in every run.
 */
export class ShapeRule {
  readonly #axes: readonly AxisRule[];

  constructor(axes: readonly AxisRule[]) {
    this.#axes = axes;
  }

  /** Writes the output's shape in a run over `inputs` (in the order of the spec) to `into`, whose length is set. */
  write(into: number[], rows: number, inputs: readonly ShapedInput[]): void {
    into.length = this.#axes.length;
    for (let i = 0; i < this.#axes.length; i++) {
      const rule = this.#axes[i] as AxisRule;
      if (typeof rule === 'number') into[i] = rule;
      else if (rule === 'rows') into[i] = rows;
      else into[i] = inputs[rule.input]?.shape[rule.axis] as number;
    }
  }
}

/** By the outputs of the spec; undefined: the file does not say what shape it will have, or it holds strings. */
export function readShapeRules(library: OrtLibrary, session: number, spec: ModelSpec): (ShapeRule | undefined)[] {
  const batched = spec.maxBatchSize > 0;
  const inputs = readAxes(library, session, 'Input');
  const outputs = readAxes(library, session, 'Output');
  const sizes = new Map<string, AxisRule>();
  spec.inputs.forEach(({ name, optional }, input) => {
    inputs.get(name)?.forEach(({ symbol }, axis) => {
      if (symbol === '' || sizes.has(symbol)) return;
      if (batched && axis === 0) sizes.set(symbol, 'rows');
      else if (!optional) sizes.set(symbol, { input, axis });
    });
  });
  return spec.outputs.map(({ name, dataType, modelDims }) => {
    const axes = outputs.get(name);
    if (dataType === 'BYTES' || axes === undefined) return undefined;
    const given = batched ? [-1, ...modelDims] : modelDims;
    if (given.length !== axes.length) return undefined;
    const rules = axes.map((axis, i) => {
      if (batched && i === 0) return 'rows';
      return (given[i] as number) >= 0 ? (given[i] as number) : ruleOf(axis, sizes);
    });
    return rules.includes(undefined) ? undefined : new ShapeRule(rules as AxisRule[]);
  });
}

function ruleOf({ size, symbol }: Axis, sizes: ReadonlyMap<string, AxisRule>): AxisRule | undefined {
  return size >= 0 ? size : sizes.get(symbol);
}
