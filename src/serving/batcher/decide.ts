import type { BatchPolicy } from '../../core/index.js';

/** A waiting request as the decision sees it. */
export interface Candidate {
  readonly rows: number;
  readonly enqueuedNs: number;
  /** When nobody waits for its answer any more. */
  readonly deadlineNs: number;
}

/** What the decision knows. The batcher fills one object again and again: nothing of it may be kept. */
export interface SchedulingView {
  readonly policy: BatchPolicy;
  /** Executions that could start now. */
  readonly freeSlots: number;
  /** Requests waiting, of every key. */
  readonly waiting: number;
  /**
   * The requests that could share a batch with the head of the line, the head first, in the order of service, as long as
   * they fit into one execution.
   */
  readonly candidates: readonly Candidate[];
  /** No further row can come to this batch: it is full, or a request that would share it does not fit. */
  readonly saturated: boolean;
  /** No request can come any more, so that waiting for one is no use. */
  readonly draining: boolean;
}

/** `run`: start the first `members` candidates. `wait`: ask again at `untilNs`, or once `untilRows` rows of the head's key wait. */
export type Decision =
  | { readonly kind: 'run'; readonly members: number }
  | { readonly kind: 'wait'; readonly untilNs: number; readonly untilRows: number }
  | { readonly kind: 'idle' };

const IDLE: Decision = { kind: 'idle' };

/**
 * What to do now: Triton's dynamic batcher (`dynamic_batch_scheduler.cc`, GetDynamicBatch), asked when an instance is
 * free. Pure, and the only place that decides about batches: another scheduler replaces this file.
 */
export function decide(view: SchedulingView, nowNs: number): Decision {
  const { policy, candidates } = view;
  if (view.freeSlots < 1 || candidates.length === 0) return IDLE;
  if (!policy.dynamic || policy.maxBatchSize === 0) return { kind: 'run', members: 1 };

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
  if (best !== 0 && !delayExceeded) return { kind: 'run', members: best };
  if (view.saturated || rows >= largest || delayNs === 0 || delayExceeded || view.draining) {
    return { kind: 'run', members: candidates.length };
  }
  return { kind: 'wait', untilNs: delayEndNs, untilRows: nextSize(preferred, rows, policy.maxBatchSize) };
}

function nextSize(preferred: readonly number[], rows: number, maxBatchSize: number): number {
  let next = maxBatchSize;
  for (const size of preferred) if (size > rows && size < next) next = size;
  return next;
}
