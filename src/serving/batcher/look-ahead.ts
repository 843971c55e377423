import type { CostCurve } from '../../core/index.js';
import { rowsWithin } from './batch-size.js';
import { instanceFreeNs } from './in-flight.js';
import type { Candidate, Plan } from './scheduling-view.js';

/** Heads given up for one execution, at most. */
const DROPS_AT_MOST = 8;
/** What a request given up now counts, against a row too many at one of the next starts. */
const DROP_COST = 3.2;
/** The next starts that are looked at. */
const STARTS = 3;
/** Rows too many that do no harm yet, and how far that may be wrong: as shares of the size that keeps up. */
const HARMLESS = 0.43;
const BLUR = 0.5;
/** Two starts are at least so far from each other, as a share of the distance that they have when all instances work. */
const SOONEST = 0.365;

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
 * How many heads to give up where the earliest deadlines leave time for a small batch only: as many as make their number, and
 * the rows too many at the next starts, the least. What is left over now makes the next start late, and so the one after
 * it: without looking at several, line after line of small batches costs more than the heads. What matters more is not given
 * up for any number of those that matter less. Who could wait for the start after the next as well is not given up for
 * others, nor is who has no deadline. `line` stands in the order of deadlines.
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
  // Who is still to come is taken to matter no more than any that waits.
  const leastWorth = line.reduce((least, { worth }) => Math.min(least, worth), plan.head.worth);
  let given = 0;
  for (let drops = 0; drops <= DROPS_AT_MOST && drops < line.length && given * DROP_COST < least; drops++) {
    const members = drops === 0 ? taken : prefixInTime(plan, line, drops, plan.mostRows, nowNs);
    const rows = rowsOf(line, drops, drops + members);
    const left = plan.rows - rowsBefore - rows;
    const loss =
      given * DROP_COST + tooMany(plan, line, drops + members, left, rows, keepsUp, freeSlots, leastWorth, nowNs);
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

/** Rows a nanosecond where none are known to come. */
const HARDLY_ANY = 1e-15;

/** When each instance is free again, ascending, while the next starts are looked at. */
const freeAtNs: number[] = [];

/**
 * The rows too many at the next starts, if `started` rows start now and `left` rows, the first of them at `head`, stay: each
 * start is when the next instance comes free, takes what its head leaves time for, and what came at the mean rate meanwhile
 * stands behind. Rows are too many where all that waits would make the head late: so many less, and one given up of them makes
 * room by its own time and by the later deadline of the next. They count softly, as arrivals are only known by their mean.
 */
function tooMany(
  plan: Plan,
  line: readonly Candidate[],
  head: number,
  left: number,
  started: number,
  keepsUp: number,
  freeSlots: number,
  leastWorth: number,
  nowNs: number,
): number {
  const { curve, busyUntilNs, instances, mostRows } = plan;
  // Under overload most of those that come are refused at once: no more are counted on than could be served.
  const servedPerNs = (2 * instances * keepsUp) / curve.meanNs(2 * keepsUp);
  const rowsPerNs = Math.max(Math.min(plan.rowsPerNs, servedPerNs), HARDLY_ANY);
  const ownNs = (curve.meanNs(2 * keepsUp) - curve.meanNs(keepsUp)) / keepsUp;
  const perRowNs = 1 / rowsPerNs + Math.max(ownNs, 0);
  const apartNs = (SOONEST * curve.meanNs(keepsUp)) / instances;
  const spanNs = plan.head.deadlineNs - plan.head.enqueuedNs;
  for (let i = 1; i < instances; i++) freeAtNs[i] = instanceFreeNs(i, freeSlots, busyUntilNs, nowNs);
  freeAgain(instances, nowNs + curve.meanNs(Math.max(started, 1)));
  let startNs = nowNs;
  let gone = 0;
  let next = head;
  let before = 0;
  let sum = 0;
  for (let start = 0; start < STARTS; start++) {
    startNs = Math.max(freeAtNs[0] as number, startNs + apartNs);
    const waiting = Math.max(left + (startNs - nowNs) * rowsPerNs - gone, 1);
    while (next < line.length && before + (line[next] as Candidate).rows <= gone)
      before += (line[next++] as Candidate).rows;
    const first = line[next];
    const deadlineNs = first?.deadlineNs ?? nowNs + (gone - left) / rowsPerNs + spanNs;
    const timeNs = deadlineNs - startNs;
    const excess = (upperNs(curve, waiting) - timeNs) / perRowNs;
    sum += (first?.worth ?? leastWorth) * soft(excess - HARMLESS * keepsUp, BLUR * keepsUp);
    const rows = Math.min(Math.max(rowsThatFit(curve, timeNs, mostRows), 1), waiting);
    gone += rows;
    freeAgain(instances, startNs + curve.meanNs(Math.round(rows)));
  }
  return sum;
}

/** As the upper quantile of `rows`, between whole numbers too: a row more or less must not decide by rounding. */
function upperNs(curve: CostCurve, rows: number): number {
  const whole = Math.floor(rows);
  const ns = curve.upperNs(whole);
  return whole === rows ? ns : ns + (rows - whole) * (curve.upperNs(whole + 1) - ns);
}

/** As `rowsWithin`, between whole numbers too. */
function rowsThatFit(curve: CostCurve, budgetNs: number, most: number): number {
  const whole = rowsWithin(curve, budgetNs, most);
  if (whole === 0 || whole === most) return whole;
  const ns = curve.upperNs(whole);
  const moreNs = curve.upperNs(whole + 1) - ns;
  return moreNs > 0 ? whole + Math.min((budgetNs - ns) / moreNs, 1) : whole;
}

/** The instance that is free first works until `endNs`. */
function freeAgain(instances: number, endNs: number): void {
  let at = 0;
  for (; at + 1 < instances && (freeAtNs[at + 1] as number) < endNs; at++) freeAtNs[at] = freeAtNs[at + 1] as number;
  freeAtNs[at] = endNs;
}

/** `x` where it is far above 0, nothing where it is far below, and in between over a width of `blur`. */
function soft(x: number, blur: number): number {
  return x > 30 * blur ? x : blur * Math.log1p(Math.exp(x / blur));
}

function rowsOf(line: readonly Candidate[], from: number, to: number): number {
  let rows = 0;
  for (let i = from; i < to; i++) rows += (line[i] as Candidate).rows;
  return rows;
}
