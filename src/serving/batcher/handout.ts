import { type Lease, lend, type Tensor } from '../../core/index.js';

/** How long answers hold the thread at a stretch. */
const STRETCH_NS = 500e3;
/** Answers between two looks at the clock. */
const LOOK_EVERY = 8;

/** How answers are given in stretches. */
export interface Turns {
  nowNs(): number;
  /** Runs `more` when the event loop has turned. */
  later(more: () => void): void;
}

/** Whether so few answers are given at once whatever time they take. */
export function isFew(members: number): boolean {
  return members <= LOOK_EVERY;
}

/** Whether the thread is to be left before answer `i`, the first of this stretch having been `from`, at `sinceNs`. */
export function mustLeave(turns: Turns, i: number, from: number, sinceNs: number): boolean {
  return i > from && (i - from) % LOOK_EVERY === 0 && turns.nowNs() - sinceNs >= STRETCH_NS;
}

/** Keeps outputs for answers that come later. Undefined: the memory of one of them cannot be kept. */
export function keepOutputs(outputs: readonly Tensor[]): readonly Lease[] | undefined {
  const leases: Lease[] = [];
  for (const { data } of outputs) {
    const lease = lend(data);
    if (lease === undefined) {
      releaseAll(leases);
      return undefined;
    }
    leases.push(lease);
  }
  return leases;
}

/**
 * Gives the answers from `from` up to `members` in later turns of the event loop, a stretch in each: who comes meanwhile is admitted
 * or refused, and other instances start, without waiting for hundreds of answers. Ends the leases then.
 */
export function giveLater(
  turns: Turns,
  from: number,
  members: number,
  leases: readonly Lease[],
  give: (i: number) => void,
): void {
  turns.later(() => {
    const sinceNs = turns.nowNs();
    let next = from;
    try {
      while (next < members && !mustLeave(turns, next, from, sinceNs)) give(next++);
    } catch (thrown) {
      releaseAll(leases);
      throw thrown;
    }
    if (next < members) giveLater(turns, next, members, leases, give);
    else releaseAll(leases);
  });
}

function releaseAll(leases: readonly Lease[]): void {
  for (const lease of leases) lease.release();
}
