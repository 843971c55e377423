import { type ModelSpec, ServingError, type TensorSpec } from '../../core/index.js';
import { type EnsembleGraph, type GraphStep, stepName } from './ensemble-graph.js';

/** What a step has to know of its model to hand tensors on. */
export interface StepForm {
  readonly batched: boolean;
  /** Dims by input, less the batch axis. */
  readonly inputDims: ReadonlyMap<string, readonly number[]>;
}

/** Models by step, in the order of the graph's steps. */
export type MemberSpecs = readonly ModelSpec[];

/** A tensor as the first model that names it has it. */
interface Known {
  readonly spec: TensorSpec;
  readonly batched: boolean;
  readonly whose: string;
}

/**
 * Checks that the models of an ensemble fit together: every input that a model needs is mapped, no name is unknown, data types
 * and shapes agree between all who name a tensor, and no model takes fewer rows than the ensemble. A model without a batch axis may be
 * in an ensemble that has one where the whole shapes agree (Triton's `ValidateEnsembleConfig`). Throws MODEL_INVALID with the
 * step at fault. Gives what running the steps takes.
 */
export function fitMembers(spec: ModelSpec, graph: EnsembleGraph, members: MemberSpecs): readonly StepForm[] {
  const known = new Map<number, Known>();
  const batched = spec.maxBatchSize > 0;
  const own = { batched, whose: 'the ensemble' };
  for (const [i, place] of graph.inputs.entries()) known.set(place, { spec: spec.inputs[i] as TensorSpec, ...own });
  graph.outputs.forEach((place, i) => {
    const output = { spec: spec.outputs[i] as TensorSpec, ...own };
    const before = known.get(place);
    if (before === undefined) known.set(place, output);
    else agree(graph, place, before, output, '');
  });
  return graph.steps.map((step, i) => {
    const member = members[i] as ModelSpec;
    if (member.decoupled) throw invalid(`${stepName(step)}: the model is decoupled: a step has exactly one answer`);
    checkRows(spec, step, member);
    checkNames(step, member);
    for (const side of ['takes', 'gives'] as const)
      for (const { name, tensor } of step[side]) {
        const found = (side === 'takes' ? member.inputs : member.outputs).find((one) => one.name === name);
        const here = { spec: found as TensorSpec, batched: member.maxBatchSize > 0, whose: `model '${step.model}'` };
        const before = known.get(tensor);
        if (before === undefined) known.set(tensor, here);
        else agree(graph, tensor, before, here, `${stepName(step)}: `);
      }
    return {
      batched: member.maxBatchSize > 0,
      inputDims: new Map(member.inputs.map(({ name, dims }) => [name, dims])),
    };
  });
}

function checkRows(spec: ModelSpec, step: GraphStep, member: ModelSpec): void {
  const most = member.batching.maxRequestRows ?? member.maxBatchSize;
  if (most === 0 || most >= spec.maxBatchSize) return;
  throw invalid(
    `${stepName(step)}: the ensemble allows a batch size of up to ${spec.maxBatchSize} (max_batch_size), the model of up to ${most}`,
  );
}

function checkNames(step: GraphStep, member: ModelSpec): void {
  const refuse = (what: string, name: string, all: readonly TensorSpec[]) => {
    const list = all.map((one) => `'${one.name}'`).join(', ');
    return invalid(`${stepName(step)}: the model has no ${what} '${name}'; it has: ${list}`);
  };
  for (const { name } of step.takes)
    if (!member.inputs.some((input) => input.name === name)) throw refuse('input', name, member.inputs);
  for (const { name } of step.gives)
    if (!member.outputs.some((output) => output.name === name)) throw refuse('output', name, member.outputs);
  for (const { name, optional } of member.inputs) {
    if (optional || step.takes.some((taken) => taken.name === name)) continue;
    throw invalid(`${stepName(step)}: input '${name}' of the model is mapped to no tensor`);
  }
}

/** Triton's `ValidateTensorConsistency`: variable dims fit any; the batch axis counts as one where only one side has it. */
function agree(graph: EnsembleGraph, place: number, a: Known, b: Known, at: string): void {
  const name = graph.tensors[place]?.name;
  if (a.spec.dataType !== b.spec.dataType) {
    throw invalid(
      `${at}tensor '${name}': inconsistent data type, ${a.spec.dataType} in ${a.whose}, ${b.spec.dataType} in ${b.whose}`,
    );
  }
  if (dimsFit(a.spec.dims, b.spec.dims) || dimsFit(wholeDims(a), wholeDims(b))) return;
  throw invalid(
    `${at}tensor '${name}': inconsistent shape, ${show(wholeDims(a))} in ${a.whose}, ${show(wholeDims(b))} in ${b.whose}`,
  );
}

const wholeDims = ({ spec, batched }: Known) => (batched ? [-1, ...spec.dims] : spec.dims);
const show = (dims: readonly number[]) => `[${dims.join(',')}]`;

/** Whether a shape of one can be one of the other. */
export function dimsFit(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === -1 || b[axis] === -1 || dim === b[axis]);
}

function invalid(why: string): ServingError {
  return new ServingError('MODEL_INVALID', `ensemble: ${why}`);
}
