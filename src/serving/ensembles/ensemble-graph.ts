import { type EnsembleStep, type ModelSpec, ServingError } from '../../core/index.js';

/** A tensor that a step takes or gives: its name in the step's model, and its place among the ensemble's tensors. */
export interface StepTensor {
  readonly name: string;
  readonly tensor: number;
}

/** A step with its tensors found. */
export interface GraphStep {
  /** Place in the config, from 0, as messages name it. */
  readonly index: number;
  readonly model: string;
  readonly version: number | undefined;
  readonly takes: readonly StepTensor[];
  readonly gives: readonly StepTensor[];
}

export interface GraphTensor {
  readonly name: string;
  /** The step that gives it; -1: it is an input of the ensemble. */
  readonly from: number;
  /** Steps that take it, each once. */
  readonly takers: readonly number[];
}

/** What an ensemble computes in which order: a graph without cycles in which everything that is asked for is given. */
export interface EnsembleGraph {
  readonly steps: readonly GraphStep[];
  readonly tensors: readonly GraphTensor[];
  /** Places of the ensemble's inputs and outputs, in the order of its spec. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/**
 * The graph of an ensemble. Throws MODEL_INVALID, with the step that is at fault, where a step maps nothing, a tensor is given
 * twice or by nobody, steps wait for each other, an input is used by no step or an output given by none: what Triton's
 * `ValidateEnsembleSchedulingConfig` refuses. Which models there are it does not ask.
 */
export function ensembleGraph(spec: ModelSpec, steps: readonly EnsembleStep[]): EnsembleGraph {
  if (steps.length === 0) throw invalid("must specify 'step': the ensemble has none");
  const places = new Places();
  const inputs = spec.inputs.map(({ name }) => places.of(name));
  const from = new Map<number, number>(inputs.map((place) => [place, -1]));
  const found = steps.map((step, index): GraphStep => {
    checkStep(step, index);
    const gives = [...step.outputs].map(([name, tensor]) => ({ name, tensor: places.of(tensor) }));
    for (const { tensor } of gives) {
      const other = from.get(tensor);
      if (other !== undefined) throw stepInvalid(step, index, givenTwice(places.name(tensor), other));
      from.set(tensor, index);
    }
    const takes = [...step.inputs].map(([name, tensor]) => ({ name, tensor: places.of(tensor) }));
    return { index, model: step.model, version: step.version, takes, gives };
  });
  for (const step of found) checkTaken(step, from, places);
  checkOrder(found, from, places);
  const takers = places.names.map((_, place) => found.filter((step) => step.takes.some((t) => t.tensor === place)));
  for (const place of inputs)
    if (takers[place]?.length === 0) throw invalid(`input '${places.name(place)}' is used by no step`);
  const outputs = spec.outputs.map(({ name }) => {
    const place = places.find(name);
    if (place === undefined) throw invalid(`output '${name}' is given by no step`);
    return place;
  });
  return {
    steps: found,
    tensors: places.names.map((name, place) => ({
      name,
      from: from.get(place) as number,
      takers: (takers[place] as GraphStep[]).map(({ index }) => index),
    })),
    inputs,
    outputs,
  };
}

/** A fault of one step, as messages of loads and of requests begin. */
export function stepName({ index, model }: Pick<GraphStep, 'index' | 'model'>): string {
  return `step ${index} (model '${model}')`;
}

function checkStep(step: EnsembleStep, index: number): void {
  if (step.model === '') throw invalid(`must specify 'model_name' in step ${index}`);
  if (step.inputs.size === 0) throw stepInvalid(step, index, "must specify 'input_map'");
  if (step.outputs.size === 0) throw stepInvalid(step, index, "must specify 'output_map'");
}

function givenTwice(tensor: string, other: number): string {
  return `tensor '${tensor}' can appear in an output map only once, ${
    other < 0 ? 'and is an input of the ensemble' : `and step ${other} gives it too`
  }`;
}

function checkTaken(step: GraphStep, from: ReadonlyMap<number, number>, places: Places): void {
  for (const { name, tensor } of step.takes)
    if (!from.has(tensor))
      throw invalid(
        `${stepName(step)}: input '${name}' takes tensor '${places.name(tensor)}', which no step gives and which is no input of the ensemble`,
      );
}

/** Takes away what can run until nothing is left; what is left waits for itself. */
function checkOrder(steps: readonly GraphStep[], from: ReadonlyMap<number, number>, places: Places): void {
  const given = new Set([...from].filter(([, step]) => step < 0).map(([place]) => place));
  let left = steps;
  for (;;) {
    const ready = left.filter((step) => step.takes.every(({ tensor }) => given.has(tensor)));
    for (const step of ready) for (const { tensor } of step.gives) given.add(tensor);
    const rest = left.filter((step) => !ready.includes(step));
    if (rest.length === 0) return;
    if (ready.length === 0) {
      const first = rest[0] as GraphStep;
      const tensor = first.takes.find((taken) => !given.has(taken.tensor))?.tensor as number;
      throw invalid(
        `${stepName(first)}: tensor '${places.name(tensor)}' is never given, as these steps wait for each other: ${rest.map(stepName).join(', ')}`,
      );
    }
    left = rest;
  }
}

/** Tensors by name, in the order in which they were first named. */
class Places {
  readonly names: string[] = [];
  readonly #places = new Map<string, number>();

  of(name: string): number {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    this.#places.set(name, this.names.length);
    this.names.push(name);
    return this.names.length - 1;
  }

  find(name: string): number | undefined {
    return this.#places.get(name);
  }

  name(place: number): string {
    return this.names[place] as string;
  }
}

function stepInvalid({ model }: EnsembleStep, index: number, why: string): ServingError {
  return invalid(`${stepName({ index, model })}: ${why}`);
}

function invalid(why: string): ServingError {
  return new ServingError('MODEL_INVALID', `ensemble: ${why}`);
}
