import { type BatchPolicy, NO_DEADLINE, type QueuePolicy } from '../../core/index.js';
import type { QueueItem } from './queue-item.js';

/** Who names no deadline, or a late one, is served as if the answer were wanted within this, or within the model's SLO: it cannot starve. */
const PATIENCE_NS = 1e9;

/** Until when a request may wait for a batch, and until when its answer is wanted; monotonic nanoseconds. */
export interface WaitLimits {
  /** Queue time-out of the policy; `NO_DEADLINE` where none. It ends when the request is taken. */
  readonly expiresNs: number;
  /** When the answer is wanted: the caller's deadline or the model's SLO, whichever is earlier. */
  readonly deadlineNs: number;
  /** Past it nobody waits for the answer, queued or running: the caller's deadline. */
  readonly answerByNs: number;
  /** Its place in the line: the earlier is served first. */
  readonly orderNs: number;
}

/**
 * How a request's `timeout` parameter acts. Where the policy has a time-out and lets requests override it, it shortens
 * that one (never lengthens it: Triton, `PolicyQueue::Enqueue`). Everywhere else Triton ignores it; here it is a deadline,
 * which is what the caller meant.
 */
export function waitLimits(item: QueueItem, policy: QueuePolicy, sloMs: number): WaitLimits {
  let timeoutUs = policy.defaultTimeoutUs;
  let answerByNs = item.deadlineNs;
  if (item.timeoutUs > 0) {
    if (policy.allowTimeoutOverride && timeoutUs > 0) timeoutUs = Math.min(timeoutUs, item.timeoutUs);
    else answerByNs = Math.min(answerByNs, item.enqueuedNs + item.timeoutUs * 1000);
  }
  const expiresNs = timeoutUs > 0 ? item.enqueuedNs + timeoutUs * 1000 : NO_DEADLINE;
  const deadlineNs = sloMs > 0 ? Math.min(answerByNs, item.enqueuedNs + sloMs * 1e6) : answerByNs;
  const orderNs = Math.min(deadlineNs, item.enqueuedNs + Math.max(PATIENCE_NS, sloMs * 1e6));
  return { expiresNs, deadlineNs, answerByNs, orderNs };
}

/** One priority level: its policy and how many requests of it wait. */
export interface Level {
  readonly level: number;
  readonly policy: QueuePolicy;
  waiting: number;
}

/** The level that serves `priority`; levels are made when first asked for, at most as many as the policy has. */
export class Levels {
  readonly #policy: BatchPolicy;
  readonly #levels = new Map<number, Level>();

  constructor(policy: BatchPolicy) {
    this.#policy = policy;
  }

  of(priority: number): Level {
    const { priorityLevels, defaultPriorityLevel } = this.#policy;
    const asked = priority >= 1 && priority <= priorityLevels;
    const number = priorityLevels === 0 ? 0 : asked ? priority : defaultPriorityLevel;
    let level = this.#levels.get(number);
    if (level === undefined) {
      const policy = this.#policy.priorityQueuePolicies.get(number) ?? this.#policy.defaultQueuePolicy;
      level = { level: number, policy, waiting: 0 };
      this.#levels.set(number, level);
    }
    return level;
  }
}
