import type { ModelConfig } from '../../config/index.js';
import { ENSEMBLE_PLATFORM, type EnsembleStep, ServingError } from '../../core/index.js';

/** Whether a config is of an ensemble: a model without a file. */
export function isEnsemble(config: ModelConfig): boolean {
  return (
    config.ensemble_scheduling !== undefined ||
    config.platform === ENSEMBLE_PLATFORM ||
    config.backend === ENSEMBLE_PLATFORM
  );
}

/** Fields that say how executions of a model are made: an ensemble has none, its models do. */
const OF_EXECUTIONS = [
  'instance_group',
  'optimization',
  'model_warmup',
  'engine',
  'provider',
  'max_execution_ms',
  'slo_ms',
  'device_weight',
  'batch_limit',
  'cost_sweep_ms',
  'split_large_requests',
  'allowed_batch_sizes',
  'padding',
  'default_model_filename',
] as const satisfies readonly (keyof ModelConfig)[];

/** The steps of an ensemble. Throws MODEL_INVALID where its config is none, or says what belongs to its models. */
export function ensembleStepsOf(config: ModelConfig): readonly EnsembleStep[] {
  const { platform, backend, ensemble_scheduling: scheduling } = config;
  if (scheduling === undefined) throw invalid("the platform 'ensemble' needs 'ensemble_scheduling'");
  for (const given of [platform, backend])
    if (given !== undefined && given !== '' && given !== ENSEMBLE_PLATFORM)
      throw invalid(`ensemble_scheduling needs the platform 'ensemble', the config has '${given}'`);
  for (const field of OF_EXECUTIONS)
    if (isSet(config[field])) throw invalid(`${field} belongs to the models of an ensemble`);
  if (config.model_transaction_policy?.decoupled === true)
    throw invalid('an ensemble has one answer: it cannot be decoupled');
  for (const tensor of [...(config.input ?? []), ...(config.output ?? [])])
    if (tensor.reshape !== undefined) throw invalid(`'${tensor.name}': reshape belongs to the models of an ensemble`);
  return (scheduling.step ?? []).map((step, index): EnsembleStep => {
    const { model_name: model = '', model_version: version = -1, model_namespace: namespace = '' } = step;
    if (namespace !== '')
      throw invalid(`step ${index} (model '${model}'): models have no namespaces, got '${namespace}'`);
    if (version !== -1 && version < 1)
      throw invalid(
        `step ${index} (model '${model}'): expected a version from 1, or -1 for the latest, got ${version}`,
      );
    return {
      model,
      version: version === -1 ? undefined : version,
      inputs: new Map(Object.entries(step.input_map ?? {})),
      outputs: new Map(Object.entries(step.output_map ?? {})),
    };
  });
}

/** A field that is there and says nothing is as one that is not there. */
function isSet(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0 || value === false) return false;
  return typeof value !== 'object' || value === null || Object.keys(value).length > 0;
}

function invalid(why: string): ServingError {
  return new ServingError('MODEL_INVALID', why.startsWith('step') ? `ensemble: ${why}` : why);
}
