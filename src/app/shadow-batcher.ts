import type { Clock, CostMeter, Executor, ModelSpec, QueueMetrics } from '../core/index.js';
import { Batcher } from '../serving/batcher/index.js';

/** Copies that wait for spare time, at most. */
const MOST_WAITING = 64;
/** How long one waits before it is dropped. */
const MOST_WAIT_MS = 1000;

/** Copies are counted by what becomes of them (`ReleaseFact`), never among the version's requests and executions. */
const UNCOUNTED: QueueMetrics = { executed() {}, setQueueDepth() {} };

/**
 * The queue of copies that a version answers for comparison: a batcher of its own over the executor's spare time. One copy is one
 * execution, so that it is over as soon as can be; order, priorities, deadlines and costs are of no matter.
 */
export function shadowBatcher(spec: ModelSpec, executor: Executor, clock: Clock, meter?: CostMeter): Batcher {
  const shadows: ModelSpec = {
    ...spec,
    batching: {
      ...spec.batching,
      dynamic: false,
      preserveOrdering: false,
      sloMs: 0,
      priorityLevels: 0,
      defaultQueuePolicy: {
        timeoutAction: 'REJECT',
        defaultTimeoutUs: MOST_WAIT_MS * 1000,
        allowTimeoutOverride: false,
        maxQueueSize: 0,
      },
      priorityQueuePolicies: new Map(),
    },
  };
  return new Batcher({ spec: shadows, executor, clock, metrics: UNCOUNTED, maxQueueSize: MOST_WAITING, meter });
}
