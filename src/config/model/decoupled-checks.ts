import type { ModelConfig } from './schema.js';

const MOST_PER_INSTANCE = 1024;

/** What takes it that a request has one answer does not go with a decoupled model. */
export function checkDecoupled(config: ModelConfig, refuse: (path: string[], message: string) => void): void {
  if (config.model_transaction_policy?.decoupled !== true) {
    if (config.requests_per_instance !== undefined)
      refuse(['requests_per_instance'], 'only a decoupled model answers several requests in one instance');
    return;
  }
  // Each of its runs has one response, and is in a batch.
  if (config.sequence_batching?.iterative_sequence === true) return;
  const atOnce = config.requests_per_instance ?? 1;
  if (atOnce > MOST_PER_INSTANCE)
    refuse(['requests_per_instance'], `expected 1 to ${MOST_PER_INSTANCE}, got ${atOnce}`);
  const given: readonly [string, boolean, string][] = [
    ['ensemble_scheduling', config.ensemble_scheduling !== undefined, 'a step gives exactly one response'],
    ['sequence_batching', config.sequence_batching !== undefined, 'the state of a sequence follows one response'],
    ['response_cache.enable', config.response_cache?.enable === true, 'responses that come one by one are not kept'],
    [
      'dynamic_batching.preserve_ordering',
      config.dynamic_batching?.preserve_ordering === true,
      'responses leave as they come',
    ],
    ['split_large_requests', config.split_large_requests === true, 'responses of parts of a request cannot be joined'],
    [
      'slo_ms',
      (config.slo_ms ?? 0) > 0,
      'how long a generation takes is not predicted; limit it by deadlines of requests',
    ],
    ['batch_limit', config.batch_limit !== undefined, 'an execution is one request'],
    ['padding', config.padding !== undefined, 'an execution is one request'],
    ['allowed_batch_sizes', config.allowed_batch_sizes !== undefined, 'an execution is one request'],
    ['cost_sweep_ms', (config.cost_sweep_ms ?? 0) > 0, 'how long a generation takes is not predicted'],
  ];
  for (const [field, asked, why] of given)
    if (asked) refuse(field.split('.'), `${field} does not go with a decoupled model: ${why}`);
}
