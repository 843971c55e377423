import {
  type BatchPolicy,
  type CostCurve,
  CRITICALITIES,
  type Executor,
  NO_DEADLINE,
  type ServingError,
} from '../../core/index.js';
import { type Backlog, cannotMeet } from './admission-forecast.js';
import { probeAfterNs } from './deadline-rules.js';
import type { Entry } from './entry.js';
import type { ExecutionShapes } from './execution-shape.js';
import type { LineView } from './line-view.js';
import { nextIsFull, OfferedLoad } from './overload.js';
import * as refusals from './refusals.js';
import type { Newcomer, WaitList } from './wait-list.js';

/** What the guard looks at. */
export interface DeadlineGuardSources {
  readonly policy: BatchPolicy;
  readonly executor: Executor;
  readonly view: LineView;
  readonly waiting: WaitList;
  readonly shapes: ExecutionShapes;
}

/** A newcomer, and what it matters. */
export interface JudgedNewcomer extends Newcomer {
  readonly criticality: number;
  /** See `QueueItem.length`. */
  readonly length: number;
  /** The caller's own deadline; later than `deadlineNs` where that is the model's SLO. */
  readonly answerByNs: number;
}

const NOBODY: readonly Entry[] = [];
const LEAST = CRITICALITIES.length - 1;
/** Requests that are looked at to find those that give their time to one newcomer. */
const LOOKED_AT_MOST = 256;

/** Refuses what cannot be answered in time as soon as that is known: at admission, or at the instant it becomes true. */
export class DeadlineGuard {
  readonly #sources: DeadlineGuardSources;
  readonly #offered = new OfferedLoad();

  constructor(sources: DeadlineGuardSources) {
    this.#sources = sources;
  }

  /**
   * Who gives up the time that a newcomer needs: nobody where there is enough, else requests of its tenant that matter less,
   * as few as are needed. The newcomer is refused with `DEADLINE_EXCEEDED` where no load would matter, with `OVERLOADED` where
   * those that wait before it and matter as much leave no room in time.
   */
  makeTime(newcomer: JudgedNewcomer, nowNs: number): readonly Entry[] | ServingError {
    const { policy, executor, view, waiting, shapes } = this.#sources;
    const { rows, deadlineNs, account, criticality, level } = newcomer;
    const curve = view.curveOf(shapes.costClass(newcomer));
    if (curve === undefined) return NOBODY;
    this.#offered.arrived(
      rows,
      criticality,
      curve,
      deadlineNs - nowNs,
      Math.max(executor.slots(), 1),
      view.mostRows,
      nowNs,
    );
    if (waiting.size === 0 && this.#isTimeToTry(curve, newcomer.answerByNs <= deadlineNs, nowNs)) return NOBODY;
    // Where nothing runs and nothing waits, to try costs nothing, and only runs can correct what is believed of their time.
    const idle = waiting.size === 0 && executor.freeSlots() === executor.slots();
    const needNs = idle ? curve.meanNs(rows) : curve.upperNs(rows);
    if (nowNs + needNs > deadlineNs) return refusals.tooShort(deadlineNs - nowNs, needNs);
    if (!policy.dynamic || (waiting.size === 0 && executor.freeSlots() > 0)) return NOBODY;
    const learned = account.margin(criticality);
    // One instance by itself would serve all that waits in time: no need to look closer.
    const waitingRows = waiting.rowsUpTo(level);
    const wholeNs = (waitingRows / view.mostRows + 2) * curve.upperNs(view.mostRows);
    if (wholeNs * (1 + learned.share) < deadlineNs - nowNs) return NOBODY;
    view.lookAhead(nowNs);
    const rowsAhead = waiting.rowsBefore(newcomer);
    const line = waiting.lineOf(account, level);
    const lessRows = Math.min(line.rowsBelow(criticality), rowsAhead);
    // By its tenant's share, its priority or its deadline it may stand before others; those at the end wait no longer for it.
    const last = rowsAhead >= waitingRows;
    // Those that matter less give way while too much of all comes; beyond them, only of what matters as much it may be too much.
    const overload = last && this.#offered.tooMuch(lessRows > 0 ? LEAST : criticality, view.rowsPerNs);
    // Broken promises count under overload only where those that matter more break them.
    const margin = overload && !this.#offered.tooMuch(criticality - 1, view.rowsPerNs) ? 0 : learned.share;
    const tightestNs = waiting.head()?.orderNs ?? NO_DEADLINE;
    const { instances, freeSlots, busyUntilNs, mostRows } = view;
    const backlog: Backlog = { curve, margin, mostRows, tightestNs, instances, freeSlots, busyUntilNs };
    const noRoomBehind = (ahead: number) =>
      (overload ? nextIsFull(backlog, ahead, rows, deadlineNs, nowNs) : undefined) ??
      cannotMeet(backlog, ahead, rows, deadlineNs, nowNs);
    const roomNs = noRoomBehind(rowsAhead);
    if (roomNs === undefined) return NOBODY;
    const fits = (freed: number) => noRoomBehind(rowsAhead - freed) === undefined;
    if (lessRows > 0 && fits(lessRows)) {
      const found = line.leastBelow(criticality, deadlineNs, leastThatFits(lessRows, fits), LOOKED_AT_MOST);
      if (fits(Math.min(rowsOf(found), rowsAhead))) return found;
    }
    learned.used();
    this.#offered.lost(nowNs);
    return refusals.noRoomInTime(deadlineNs - nowNs, roomNs - nowNs, Math.round(rowsAhead), overload);
  }

  /** The instant after which an execution of a waiting request would end past its deadline. */
  lastStartNs(entry: Entry, nowNs: number): number {
    if (entry.deadlineNs === NO_DEADLINE) return NO_DEADLINE;
    const curve = this.#curveOf(entry);
    if (curve === undefined) return NO_DEADLINE;
    // After it, not at it: an execution that starts now and takes what is left is in time.
    return Math.max(entry.deadlineNs - curve.upperNs(entry.rows), nowNs) + 1;
  }

  /**
   * Why a waiting request past its last start is refused; undefined where it may go on to its deadline: the curve says
   * something else by now, or it is time to try whether it is right.
   */
  outOfReach(entry: Entry, nowNs: number): ServingError | undefined {
    const curve = this.#curveOf(entry);
    if (curve === undefined) return undefined;
    const needNs = curve.upperNs(entry.rows);
    if (nowNs + needNs <= entry.deadlineNs) return undefined;
    if (this.#isTimeToTry(curve, entry.answerByNs <= entry.deadlineNs, nowNs)) return undefined;
    return refusals.dropped(entry, 'its deadline cannot be met any more', nowNs, needNs);
  }

  /** A request that was admitted is refused. */
  broken(entry: Entry, nowNs: number): void {
    entry.account.margin(entry.criticality).broken();
    this.#offered.lost(nowNs);
  }

  /** Nothing was started for a while though an instance is free: what runs for long says nothing against the curve. */
  #isTimeToTry(curve: CostCurve, ofCaller: boolean, nowNs: number): boolean {
    const { executor, view } = this.#sources;
    return executor.freeSlots() > 0 && nowNs - view.lastStartNs > probeAfterNs(curve, ofCaller);
  }

  #curveOf({ item }: Entry): CostCurve | undefined {
    const { shapes } = this.#sources;
    return shapes.costs?.curve(shapes.costClass(item));
  }
}

/** The fewest of 1 to `most` rows at which `fits` holds; it holds at `most`, and from some number on. */
function leastThatFits(most: number, fits: (rows: number) => boolean): number {
  let low = 1;
  let high = Math.ceil(most);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(Math.min(middle, most))) high = middle;
    else low = middle + 1;
  }
  return low;
}

function rowsOf(entries: readonly Entry[]): number {
  return entries.reduce((rows, entry) => rows + entry.rows, 0);
}
