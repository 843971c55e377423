import type { BatchMember, ModelSpec, SequencePlan, Tensor, TensorSpec } from '../../core/index.js';
import { ControlTensors } from './control-tensors.js';

/**
 * The spec of what a version executes: beside what clients send and get, the control inputs and the states, in this order, and the output by which it asks to be run again.
 * A state's output that clients are shown stands where they know it.
 */
export function executedSpec(spec: ModelSpec, plan: SequencePlan): ModelSpec {
  const shown = new Set(spec.outputs.map(({ name }) => name));
  const hidden = plan.states.filter(({ outputName }) => !shown.has(outputName));
  const { iterative } = plan;
  // Of a request that is run again each run has one answer.
  const { decoupled: _, ...once } = spec;
  return {
    ...once,
    inputs: [
      ...spec.inputs,
      ...plan.controls.map(({ name, dataType }) => tensor(name, dataType, [1])),
      ...plan.states.map(({ inputName, dataType, dims }) => tensor(inputName, dataType, dims)),
    ],
    outputs: [
      ...spec.outputs,
      ...hidden.map(({ outputName, dataType, dims }) => tensor(outputName, dataType, dims)),
      ...(iterative === undefined || shown.has(iterative.output) ? [] : [tensor(iterative.output, 'BOOL', [1])]),
    ],
  };
}

function tensor(name: string, dataType: TensorSpec['dataType'], dims: readonly number[]): TensorSpec {
  return { name, dataType, dims, modelDims: dims, optional: false, labels: undefined };
}

/** A warm-up request as the model takes it: each of its rows a sequence that begins and ends, of no id. */
export function warmMember(sample: BatchMember, plan: SequencePlan, batched: boolean): BatchMember {
  const controls = new ControlTensors(plan.controls, batched);
  const own = [
    ...controls.of({ start: true, end: true }, controls.nobody()),
    ...plan.states.map(({ initial }) => initial),
  ];
  return { ...sample, inputs: [...sample.inputs, ...own.map((one) => repeated(one, batched ? sample.rows : 1))] };
}

function repeated(one: Tensor, rows: number): Tensor {
  if (rows === 1) return one;
  const bytes = one.data.byteLength;
  const data = new Uint8Array(bytes * rows);
  for (let row = 0; row < rows; row++) data.set(one.data, row * bytes);
  return { ...one, shape: [rows, ...one.shape.slice(1)], data };
}
