import { type Candidate, type Decision, IDLE, type SchedulingView } from './scheduling-view.js';

/**
 * Triton's dynamic batcher (`dynamic_batch_scheduler.cc`, GetDynamicBatch), asked when an instance is free: what a
 * version does whose requests have no deadline, or of which it is not known how long it takes.
 */
export function decideByKnobs(view: SchedulingView, nowNs: number): Decision {
  const { policy, candidates } = view;
  if (view.freeSlots < 1 || candidates.length === 0) return IDLE;
  if (!policy.dynamic || policy.maxBatchSize === 0)
    return { kind: 'run', members: 1, why: 'one request is one execution' };

  const delayNs = policy.maxQueueDelayUs * 1000;
  const preferred = policy.preferredBatchSizes;
  const largest = preferred.length === 0 ? policy.maxBatchSize : Math.max(...preferred);
  let rows = 0;
  let oldestNs = Number.POSITIVE_INFINITY;
  let best = 0;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as Candidate;
    // Past the largest preferred size without having met one: what was gathered so far is as good as it gets.
    if (best === 0 && i > 0 && rows + candidate.rows > largest) best = i;
    rows += candidate.rows;
    if (candidate.enqueuedNs < oldestNs) oldestNs = candidate.enqueuedNs;
    if (preferred.includes(rows)) best = i + 1;
  }

  // Compared as an instant, the same sum that the timer is set to: a difference could round the other way, for ever.
  const delayEndNs = oldestNs + delayNs;
  const delayExceeded = delayNs !== 0 && nowNs >= delayEndNs;
  if (best !== 0 && !delayExceeded) return { kind: 'run', members: best, why: 'a preferred size is reached' };
  const members = candidates.length;
  if (view.saturated || rows >= largest) return { kind: 'run', members, why: 'the batch is full' };
  if (delayNs === 0) return { kind: 'run', members, why: 'an instance is free' };
  if (delayExceeded) return { kind: 'run', members, why: 'the queue delay is over' };
  if (view.draining) return { kind: 'run', members, why: 'no request can come any more' };
  const untilRows = nextSize(preferred, rows, policy.maxBatchSize);
  return { kind: 'wait', untilNs: delayEndNs, untilRows, why: 'waits for max_queue_delay_microseconds' };
}

function nextSize(preferred: readonly number[], rows: number, maxBatchSize: number): number {
  let next = maxBatchSize;
  for (const size of preferred) if (size > rows && size < next) next = size;
  return next;
}
