import { type BatchPolicy, type CostModel, type Executor, NO_DEADLINE, type ServingError } from '../../core/index.js';
import { cannotMeet } from './admission-forecast.js';
import { AdmissionMargin } from './admission-margin.js';
import { PROBE_NS } from './deadline-rules.js';
import type { Entry } from './entry.js';
import type { LineView } from './line-view.js';
import type { QueueItem } from './queue-item.js';
import * as refusals from './refusals.js';
import type { Level, Levels } from './wait-limits.js';
import type { WaitList } from './wait-list.js';

/** What the guard looks at. */
export interface DeadlineGuardSources {
  readonly policy: BatchPolicy;
  readonly costs: CostModel;
  readonly executor: Executor;
  readonly view: LineView;
  readonly waiting: WaitList;
  readonly levels: Levels;
}

/** Refuses what cannot be answered in time as soon as that is known: at admission, or at the instant it becomes true. */
export class DeadlineGuard {
  readonly margin = new AdmissionMargin();
  readonly #sources: DeadlineGuardSources;

  constructor(sources: DeadlineGuardSources) {
    this.#sources = sources;
  }

  /**
   * Why a newcomer is refused, or undefined: `DEADLINE_EXCEEDED` where no load would matter, `OVERLOADED` where what waits
   * before it leaves no room in time.
   */
  refusal(item: QueueItem, level: Level, deadlineNs: number, nowNs: number): ServingError | undefined {
    const { policy, executor, view, waiting, levels } = this.#sources;
    const curve = view.curveOf(item.key);
    if (curve === undefined || nowNs - view.lastStartNs > PROBE_NS) return undefined;
    const { rows } = item.member;
    // Where nothing runs and nothing waits, to try costs nothing, and only runs can correct what is believed of their time.
    const idle = waiting.size === 0 && executor.freeSlots() === executor.slots();
    const needNs = idle ? curve.meanNs(rows) : curve.upperNs(rows);
    if (nowNs + needNs > deadlineNs) return refusals.tooShort(deadlineNs - nowNs, needNs);
    if (!policy.dynamic || (waiting.size === 0 && executor.freeSlots() > 0)) return undefined;
    // One instance by itself would serve all that waits in time: no need to look closer.
    const wholeNs = (levels.rowsUpTo(level.level) / view.mostRows + 2) * curve.upperNs(view.mostRows);
    if (wholeNs * (1 + this.margin.share) < deadlineNs - nowNs) return undefined;
    view.lookAhead(nowNs);
    const { instances, freeSlots, busyUntilNs, mostRows } = view;
    const rowsAhead = levels.rowsUpTo(level.level) - waiting.rowsOvertaken(level.level, deadlineNs);
    const tightestNs = waiting.head()?.orderNs ?? NO_DEADLINE;
    const { share: margin } = this.margin;
    const backlog = { curve, margin, mostRows, rowsAhead, tightestNs, instances, freeSlots, busyUntilNs };
    const roomNs = cannotMeet(backlog, rows, deadlineNs, nowNs);
    if (roomNs === undefined) return undefined;
    this.margin.used();
    return refusals.noRoomInTime(deadlineNs - nowNs, roomNs - nowNs, rowsAhead);
  }

  /** The instant after which an execution of a waiting request would end past its deadline. */
  lastStartNs(entry: Entry, nowNs: number): number {
    if (entry.deadlineNs === NO_DEADLINE) return NO_DEADLINE;
    const curve = this.#sources.costs.curve(entry.item.key);
    if (curve === undefined) return NO_DEADLINE;
    // After it, not at it: an execution that starts now and takes what is left is in time.
    return Math.max(entry.deadlineNs - curve.upperNs(entry.rows), nowNs) + 1;
  }

  /**
   * Why a waiting request past its last start is refused; undefined where it may go on to its deadline: the curve says
   * something else by now, or it is time to try whether it is right.
   */
  outOfReach(entry: Entry, nowNs: number): ServingError | undefined {
    const needNs = this.#sources.costs.curve(entry.item.key)?.upperNs(entry.rows) ?? 0;
    if (nowNs - this.#sources.view.lastStartNs > PROBE_NS || nowNs + needNs <= entry.deadlineNs) return undefined;
    this.margin.broken();
    return refusals.dropped(entry, 'its deadline cannot be met any more', nowNs, needNs);
  }
}
