import type { ModelConfig } from '../../config/index.js';
import { type Decoupled, type InstanceGroup, ServingError } from '../../core/index.js';

/**
 * How a decoupled model is run; undefined: it is none, or one whose runs have a response each (iterative sequences). Only
 * scripts can give several responses in one run. Throws UNSUPPORTED.
 */
export function decoupledOf(config: ModelConfig, backend: string): Decoupled | undefined {
  if (config.model_transaction_policy?.decoupled !== true || config.sequence_batching?.iterative_sequence === true)
    return undefined;
  if (backend === 'script') return { requestsPerInstance: config.requests_per_instance ?? 1 };
  throw new ServingError(
    'UNSUPPORTED',
    `model_transaction_policy.decoupled: models of the backend 'script' can give several responses, this one's is '${backend}'`,
  );
}

/** To the executor each request that an instance answers at once is an instance of its own. */
export function slotsOf(groups: readonly InstanceGroup[], decoupled: Decoupled | undefined): readonly InstanceGroup[] {
  if (decoupled === undefined) return groups;
  return groups.map((group) => ({ ...group, count: group.count * decoupled.requestsPerInstance }));
}
