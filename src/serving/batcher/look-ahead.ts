import { rowsWithin } from './batch-size.js';
import type { Candidate, Plan } from './scheduling-view.js';

/** Heads given up for one execution, at most. */
const DROPS_AT_MOST = 8;
/** What a request given up now counts, against one that is expected to be lost at the next start. */
const DROP_COST = 1.07;
/** The next batch is planned to be this much larger than what keeps up. */
const NEXT_SIZE = 2;

/** Requests of `line` from `from` on that run in time if they start at `nowNs`, together at most `most` rows. */
export function prefixInTime(
  plan: Plan,
  line: readonly Candidate[],
  from: number,
  most: number,
  nowNs: number,
): number {
  let rows = 0;
  let tightestNs = Number.POSITIVE_INFINITY;
  let limit = most;
  for (let i = from; i < line.length; i++) {
    const { deadlineNs, rows: own } = line[i] as Candidate;
    if (deadlineNs < tightestNs) {
      tightestNs = deadlineNs;
      limit = Math.min(limit, rowsWithin(plan.curve, deadlineNs - nowNs, most));
    }
    if (rows + own > limit) return i - from;
    rows += own;
  }
  return line.length - from;
}

/**
 * How many heads to give up where the earliest deadlines leave time only for a small batch: as many as make the sum of
 * those given up and of those that would be lost at the next start the least. The next start is when the next instance
 * comes free; what is left over then, and what will have come, makes a batch if its own head leaves the time for it. What
 * matters more is not given up for any number of those that matter less. Who
 * could wait for the start after the next as well is not given up for others, nor is who has no deadline. `line` stands in the order of
 * deadlines.
 */
export function headsToDrop(
  plan: Plan,
  line: readonly Candidate[],
  taken: number,
  keepsUp: number,
  freeSlots: number,
  nowNs: number,
): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  let rowsBefore = 0;
  const patientNs = nowNs + plan.curve.upperNs(plan.mostRows) + plan.curve.meanNs(plan.mostRows);
  let given = 0;
  for (let drops = 0; drops <= DROPS_AT_MOST && drops < line.length && given * DROP_COST < least; drops++) {
    const members = drops === 0 ? taken : prefixInTime(plan, line, drops, plan.mostRows, nowNs);
    const rows = rowsOf(line, drops, drops + members);
    const loss =
      given * DROP_COST + lostNext(plan, line, drops + members, rowsBefore + rows, rows, keepsUp, freeSlots, nowNs);
    if (loss < least) {
      least = loss;
      best = drops;
    }
    const next = line[drops] as Candidate;
    if (next.deadlineNs > patientNs) break;
    rowsBefore += next.rows;
    given += next.worth;
  }
  return best;
}

/** The worth of the requests, from `head` on, that must be given up at the next start if `started` rows start now. */
function lostNext(
  plan: Plan,
  line: readonly Candidate[],
  head: number,
  rowsGone: number,
  started: number,
  keepsUp: number,
  freeSlots: number,
  nowNs: number,
): number {
  if (head >= line.length) return 0;
  const { curve, busyUntilNs, mostRows, rowsPerNs } = plan;
  const ownEndNs = nowNs + curve.meanNs(Math.max(started, 1));
  const othersNs = freeSlots > 1 ? nowNs : (busyUntilNs[0] ?? ownEndNs);
  // Two starts at once would not be two batches: the next is at least a little later.
  const soonestNs = nowNs + (SOONEST * curve.meanNs(keepsUp)) / plan.instances;
  const startNs = Math.max(Math.min(othersNs, ownEndNs), soonestNs);
  let rows = plan.rows - rowsGone + Math.floor((startNs - nowNs) * rowsPerNs);
  const enough = Math.min(keepsUp * NEXT_SIZE, mostRows);
  let lost = 0;
  for (let i = head; i < line.length; i++) {
    const { deadlineNs, rows: own, worth } = line[i] as Candidate;
    if (rowsWithin(curve, deadlineNs - startNs, mostRows) >= Math.min(enough, rows)) break;
    rows -= own;
    lost += worth;
  }
  return lost;
}

const SOONEST = 0.15;

function rowsOf(line: readonly Candidate[], from: number, to: number): number {
  let rows = 0;
  for (let i = from; i < to; i++) rows += (line[i] as Candidate).rows;
  return rows;
}
