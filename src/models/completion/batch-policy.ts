import type { ModelConfig } from '../../config/index.js';
import { type BatchPolicy, type QueuePolicy, ServingError } from '../../core/index.js';

type DynamicBatching = NonNullable<ModelConfig['dynamic_batching']>;
type ConfigQueuePolicy = NonNullable<DynamicBatching['default_queue_policy']>;

/** What a config wants of batching beside Triton's fields. */
export interface BatchAims {
  /** Default 0: none. */
  readonly sloMs?: number;
  /** Requests of more than `max_batch_size` rows are split; default no. */
  readonly split?: boolean;
  readonly batchLimit?: BatchPolicy['batchLimit'];
}

/** A request that is split takes so many places in the queue, at most. */
const PARTS_AT_MOST = 64;

/**
 * Triton's `dynamic_batching` with its defaults, checked as `ValidateModelConfig` does. Absent: one request is one
 * execution. Throws MODEL_INVALID.
 */
export function batchPolicyOf(
  batching: ModelConfig['dynamic_batching'],
  maxBatchSize: number,
  aims: BatchAims = {},
): BatchPolicy {
  const { sloMs = 0, split = false, batchLimit } = aims;
  const given: DynamicBatching = batching ?? {};
  const policy: BatchPolicy = {
    dynamic: batching !== undefined && maxBatchSize > 0,
    maxBatchSize,
    ...(split && maxBatchSize > 0 ? { maxRequestRows: maxBatchSize * PARTS_AT_MOST } : {}),
    preferredBatchSizes: [...new Set(given.preferred_batch_size ?? [])].sort((a, b) => a - b),
    maxQueueDelayUs: given.max_queue_delay_microseconds ?? 0,
    preserveOrdering: given.preserve_ordering ?? false,
    sloMs,
    ...(batchLimit === undefined ? {} : { batchLimit }),
    priorityLevels: given.priority_levels ?? 0,
    defaultPriorityLevel: given.default_priority_level ?? 0,
    defaultQueuePolicy: queuePolicyOf(given.default_queue_policy),
    priorityQueuePolicies: new Map(
      Object.entries(given.priority_queue_policy ?? {}).map(([level, own]) => [Number(level), queuePolicyOf(own)]),
    ),
  };
  check(policy);
  return policy;
}

function queuePolicyOf(given: ConfigQueuePolicy | undefined): QueuePolicy {
  return {
    timeoutAction: given?.timeout_action ?? 'REJECT',
    defaultTimeoutUs: given?.default_timeout_microseconds ?? 0,
    allowTimeoutOverride: given?.allow_timeout_override ?? false,
    maxQueueSize: given?.max_queue_size ?? 0,
  };
}

function check(policy: BatchPolicy): void {
  const refuse = (message: string): never => {
    throw new ServingError('MODEL_INVALID', `dynamic_batching: ${message}`);
  };
  for (const size of policy.preferredBatchSizes) {
    if (size > policy.maxBatchSize)
      refuse(`preferred_batch_size ${size} is above max_batch_size ${policy.maxBatchSize}`);
  }
  const { priorityLevels: levels, defaultPriorityLevel: level } = policy;
  if (levels > 0 && (level < 1 || level > levels)) {
    refuse(`default_priority_level must be from 1 to ${levels}, got ${level}`);
  }
  for (const own of policy.priorityQueuePolicies.keys()) {
    if (own < 1 || own > levels) refuse(`priority_queue_policy names level ${own}, levels are 1 to ${levels}`);
  }
  if (!policy.preserveOrdering) return;
  if (levels > 1) refuse('preserve_ordering allows one priority level only');
  for (const queue of [policy.defaultQueuePolicy, ...policy.priorityQueuePolicies.values()]) {
    if (queue.defaultTimeoutUs > 0 && queue.timeoutAction === 'DELAY') {
      refuse('preserve_ordering does not go with the timeout action DELAY');
    }
  }
}
