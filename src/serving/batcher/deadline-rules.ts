import type { CostCurve } from '../../core/index.js';
import { rowsSustained, rowsToKeepUp, rowsToStart, rowsWithin } from './batch-size.js';
import { headsToDrop, prefixInTime } from './look-ahead.js';
import type { Candidate, Decision, Plan, SchedulingView } from './scheduling-view.js';
import { startNs } from './stagger.js';

/** Below this share of the size that keeps up, what waits is too little to think of its turn: it waits for its window. */
const TOO_FEW = 0.1;
/** A request whose deadline seems out of reach still runs where nothing ran for so long: what is known of cost may be wrong. */
const PROBE_NS = 1e9;
/** Or for so many executions, where only the SLO is out of reach: a late answer is one. */
const PROBE_RUNS = 5;
/** How many more of the line than fit are looked at where not all fit. */
const LOOK_FURTHER = 16;

/**
 * What to do where deadlines are known, an instance is free and something waits: the head, and as many after it in the
 * order of service as still make every deadline by the upper quantile. With one instance it never waits. With several it
 * waits where more rows can join without harm and the other instances suffice meanwhile.
 */
export function decideByDeadlines(view: SchedulingView, plan: Plan, nowNs: number): Decision {
  const { maxBatchSize } = view.policy;
  const most = rowsToStart(plan.curve, plan.rows, plan.mostRows, maxBatchSize);
  const fits = rowsWithin(plan.curve, plan.tightestNs - nowNs, most);
  const keepsUp = rowsToKeepUp(plan.curve, plan.rowsPerNs, plan.instances, reach(plan));
  if (fits < most) return whenHeadsBind(view, plan, most, fits, keepsUp, nowNs);
  if (plan.rows > most || most === maxBatchSize)
    return { kind: 'run', members: plan.line(most).length, why: 'the batch is full' };
  return whenAllFit(view, plan, keepsUp, nowNs);
}

/** The largest size that can be kept up. */
function reach({ head, instances, curve, mostRows }: Plan): number {
  return Math.max(rowsSustained(curve, head.deadlineNs - head.enqueuedNs, instances, mostRows), 1);
}

function whenHeadsBind(
  view: SchedulingView,
  plan: Plan,
  most: number,
  fits: number,
  keepsUp: number,
  nowNs: number,
): Decision {
  const line = plan.line(fits + 2 * keepsUp + LOOK_FURTHER);
  const members = prefixInTime(plan, line, 0, most, nowNs);
  if (members === 0) {
    if (worthATry(view, plan, nowNs))
      return { kind: 'run', members: 1, why: 'to see whether its deadline can be met after all' };
    return { kind: 'drop', members: 1, why: 'its deadline cannot be met any more' };
  }
  // Whoever is less urgent must not cost a more urgent one its place.
  if (plan.mixedLevels || view.draining) return cut(members);
  const drops = plan.mixedTenants
    ? tightestToDrop(view, plan, most, keepsUp, nowNs)
    : headsToDrop(plan, line, members, keepsUp, view.freeSlots, nowNs);
  if (drops === 0) return cut(members);
  const why = 'without it more requests meet their deadlines';
  return { kind: 'drop', members: drops, byDeadline: plan.mixedTenants, why };
}

/** Where shares decide the order of service, the tightest deadlines bind wherever they stand: they are looked at first. */
function tightestToDrop(view: SchedulingView, plan: Plan, most: number, keepsUp: number, nowNs: number): number {
  const line = plan.byDeadline();
  const members = Math.max(prefixInTime(plan, line, 0, most, nowNs), 1);
  return headsToDrop(plan, line, members, keepsUp, view.freeSlots, nowNs);
}

/**
 * Whether the head runs though by the upper quantile it would be late: to try costs nobody anything where nothing else runs or
 * waits and with luck it is in time, or nothing ran for a while; and only runs can correct what is believed of their time.
 */
export function worthATry(view: SchedulingView, plan: Plan, nowNs: number): boolean {
  const { head, curve, instances, lastStartNs } = plan;
  if (nowNs - lastStartNs > probeAfterNs(curve, false)) return true;
  return view.waiting === 1 && view.freeSlots === instances && nowNs + curve.meanNs(head.rows) <= head.deadlineNs;
}

/** How long nothing has run when a request is tried that seems out of reach of its caller's deadline, or of the SLO alone. */
export function probeAfterNs(curve: CostCurve, ofCaller: boolean): number {
  return ofCaller ? PROBE_NS : Math.min(PROBE_NS, curve.meanNs(1) * PROBE_RUNS);
}

function cut(members: number): Decision {
  return { kind: 'run', members, why: 'the deadline of the head leaves no time for more' };
}

function whenAllFit(view: SchedulingView, plan: Plan, keepsUp: number, nowNs: number): Decision {
  const run = (why: Decision['why']): Decision => ({ kind: 'run', members: plan.line(plan.rows).length, why });
  if (view.draining) return run('no request can come any more');
  if (plan.instances === 1 || plan.othersWait) return run('an instance is free');
  const windowNs = joinUntilNs(view, plan, keepsUp);
  if (windowNs <= nowNs) return run('the deadline of the head leaves no time for more');
  const tooFew = plan.rows < keepsUp * TOO_FEW;
  const untilNs = tooFew ? windowNs : startNs(plan, keepsUp, view.freeSlots, windowNs, nowNs);
  if (untilNs <= nowNs) return run('its turn has come');
  const why = tooFew
    ? 'waits for more rows: the other instances suffice meanwhile'
    : 'waits for its turn: starts are spread over the instances';
  return { kind: 'wait', untilNs, untilRows: 0, why };
}

/**
 * Until when what waits may be held back: while one more row could join without the earliest deadline being missed, no
 * longer than an execution takes, and within `max_queue_delay_microseconds` where it is set.
 */
function joinUntilNs(view: SchedulingView, plan: Plan, keepsUp: number): number {
  const { curve, tightestNs, rows } = plan;
  const head: Candidate = plan.head;
  const delayUs = view.policy.maxQueueDelayUs;
  const bound = head.enqueuedNs + (delayUs > 0 ? delayUs * 1000 : curve.meanNs(keepsUp));
  return Math.min(tightestNs - curve.upperNs(rows + 1), bound);
}
