import { type EnsembleStep, type ModelSpec, ServingError } from '../../core/index.js';
import { type EnsembleGraph, ensembleGraph, stepName } from './ensemble-graph.js';
import { fitMembers, type StepForm } from './member-fit.js';

/** An ensemble that can be run: its graph, over models that fit. */
export interface EnsemblePlan {
  readonly spec: ModelSpec;
  readonly graph: EnsembleGraph;
  /** By step. */
  readonly forms: readonly StepForm[];
}

/** The spec of what serves of a model, of its highest version where none is named; undefined: none does. */
export type SpecOf = (model: string, version: number | undefined) => ModelSpec | undefined;

/** Checks an ensemble against the models that serve. Throws MODEL_INVALID with the step at fault. */
export function planEnsemble(spec: ModelSpec, steps: readonly EnsembleStep[], specOf: SpecOf): EnsemblePlan {
  const graph = ensembleGraph(spec, steps);
  const members = graph.steps.map((step) => {
    const member = specOf(step.model, step.version);
    if (member?.decoupled)
      throw new ServingError(
        'MODEL_INVALID',
        `ensemble: ${stepName(step)}: the model is decoupled, a step takes exactly one response`,
      );
    if (member !== undefined) return member;
    const which = step.version === undefined ? 'the model' : `version ${step.version} of the model`;
    throw new ServingError('MODEL_INVALID', `ensemble: ${stepName(step)}: ${which} does not serve`);
  });
  return { spec, graph, forms: fitMembers(spec, graph, members) };
}
