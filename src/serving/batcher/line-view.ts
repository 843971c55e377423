import type { BatchPolicy, CostCurve, Executor } from '../../core/index.js';
import type { ArrivalRate } from './arrival-rate.js';
import { rowsThatPay, rowsToStart } from './batch-size.js';
import type { Entry } from './entry.js';
import type { ExecutionShapes } from './execution-shape.js';
import type { InFlight } from './in-flight.js';
import type { Candidate, Plan, SchedulingView } from './scheduling-view.js';
import { ShapeChoice } from './shape-choice.js';
import type { KeyGroup, WaitList } from './wait-list.js';

/**
 * One start in so many may be twice as large as pays: what is believed of a larger size can be wrong, and only a run tells.
 * Where deadlines decide, batches grow past it by themselves.
 */
const TRY_EVERY = 64;

/**
 * Where no SLO makes every deadline a near one, those are left alone that are further away than this many executions of the
 * best size: callers who only do not want to wait for ever (gRPC's usual deadline) get Triton's knobs.
 */
const FAR_EXECUTIONS = 16;

/** Rows of the line among which a batch of different lengths is chosen, at most, where one may not be larger itself. */
const WINDOW_ROWS = 256;

/** What the view looks at. */
export interface LineViewSources {
  readonly policy: BatchPolicy;
  readonly waiting: WaitList;
  readonly executor: Executor;
  readonly inFlight: InFlight;
  readonly arrivals: ArrivalRate;
  readonly shapes: ExecutionShapes;
}

/**
 * What the decision sees of the line and of time, looked up when it is asked for: the line is walked only where the
 * decision needs to see each request. One object, taken anew by `look` for each question.
 */
export class LineView implements SchedulingView, Plan {
  readonly policy: BatchPolicy;
  readonly #sources: LineViewSources;
  /** Batches are no larger than pays, also where nobody has a deadline. */
  readonly #paysAlways: boolean;
  /** Filled by `gather`; which rows of the line it holds. */
  readonly #line: Entry[] = [];
  #lineRows = -1;
  #saturated = false;
  /** Most rows of the next batch where no deadline decides. */
  #most = 0;
  #group: KeyGroup | undefined;
  readonly #chooser: ShapeChoice | undefined;
  /** The choice in force; undefined where all of the head's key share one shape. */
  #choice: ShapeChoice | undefined;
  readonly #window: Entry[] = [];

  freeSlots = 0;
  waiting = 0;
  draining = false;
  rows = 0;
  instances = 0;
  rowsPerNs = 0;
  lastStartNs = Number.NEGATIVE_INFINITY;
  /** Executions started so far. */
  starts = 0;
  tightestNs = 0;
  readonly busyUntilNs: number[] = [];
  #curve: CostCurve | undefined;
  /** The size that pays, and the curve it was found for: a curve does not change. */
  #payingCurve: CostCurve | undefined;
  mostRows = 0;
  #head: Entry | undefined;

  constructor(sources: LineViewSources) {
    const { batchLimit, sloMs } = sources.policy;
    this.policy = sources.policy;
    this.#paysAlways = batchLimit === 'auto' || (batchLimit === undefined && sloMs > 0);
    this.#sources = sources;
    const { plane, costs } = sources.shapes;
    this.#chooser = plane && new ShapeChoice(sources.shapes, plane, costs);
  }

  /** Takes in the state at `nowNs`; something must wait. */
  look(draining: boolean, nowNs: number): void {
    const { waiting, executor } = this.#sources;
    const head = waiting.head();
    if (head?.group === undefined) throw new Error('a view of nothing that waits');
    this.#head = head;
    this.#group = head.group;
    this.#lineRows = -1;
    this.freeSlots = executor.freeSlots();
    this.waiting = waiting.size;
    this.draining = draining;
    const { dynamic, maxBatchSize, preferredBatchSizes } = this.policy;
    this.#choice = dynamic && head.length > 0 ? this.#choose(head, nowNs) : undefined;
    const planned = this.#choice?.withDeadline ?? head.group.withDeadline > 0;
    const costClass = this.#choice?.costClass ?? head.item.key;
    const curve = dynamic && (planned || this.#paysAlways) ? this.curveOf(costClass) : undefined;
    this.rows = this.#choice?.rows ?? head.group.rows;
    const bySize = curve !== undefined && this.#paysAlways && preferredBatchSizes.length === 0;
    const paying = this.starts % TRY_EVERY === TRY_EVERY - 1 ? this.mostRows * 2 : this.mostRows;
    this.#most = bySize
      ? rowsToStart(curve, this.rows, Math.min(paying, maxBatchSize), maxBatchSize)
      : dynamic
        ? maxBatchSize
        : 0;
    this.#curve = undefined;
    if (curve === undefined || !planned) return;
    this.tightestNs = this.#choice?.tightestNs ?? head.group.tightestNs();
    if (this.policy.sloMs === 0 && this.tightestNs - nowNs > curve.upperNs(this.mostRows) * FAR_EXECUTIONS) return;
    this.#curve = curve;
    this.lookAhead(nowNs);
  }

  #choose(head: Entry, nowNs: number): ShapeChoice | undefined {
    const { maxBatchSize } = this.policy;
    this.#sources.waiting.gather(Math.max(maxBatchSize, Math.min(4 * maxBatchSize, WINDOW_ROWS)), this.#window);
    this.#chooser?.choose(this.#window, maxBatchSize, head.deadlineNs - nowNs);
    return this.#chooser;
  }

  /** Requests a second. */
  arrivalsPerSecond(nowNs: number): number {
    return this.#sources.arrivals.rowsPerNs(nowNs) * 1e9;
  }

  /** Takes in when instances come free and how fast requests come. */
  lookAhead(nowNs: number): void {
    const { executor, inFlight, arrivals } = this.#sources;
    this.freeSlots = executor.freeSlots();
    this.instances = Math.max(executor.slots(), this.freeSlots, 1);
    inFlight.latest(this.instances - this.freeSlots, this.busyUntilNs);
    this.rowsPerNs = arrivals.rowsPerNs(nowNs);
  }

  get plan(): Plan | undefined {
    return this.#curve === undefined ? undefined : this;
  }

  get curve(): CostCurve {
    return this.#curve as CostCurve;
  }

  get head(): Candidate {
    return this.#head as Entry;
  }

  get othersWait(): boolean {
    return this.waiting > (this.#choice?.line.length ?? this.#group?.requests ?? 0);
  }

  get mixedLevels(): boolean {
    return this.#group?.mixedLevels ?? false;
  }

  get candidates(): readonly Entry[] {
    return this.line(this.#most);
  }

  get saturated(): boolean {
    this.line(this.#most);
    return this.#saturated;
  }

  get mixedTenants(): boolean {
    return this.#group?.mixedTenants ?? false;
  }

  /** The first `members` of what the decision looked at last. */
  taken(members: number, byDeadline = false): Entry[] {
    return (byDeadline ? this.byDeadline() : this.#line).slice(0, members);
  }

  byDeadline(): Entry[] {
    return [...this.#line].sort((a, b) => a.orderNs - b.orderNs);
  }

  /**
   * Of the first `members` those to start: fewer where together they would be too long, or where two executions of allowed sizes take
   * less than one.
   */
  toStart(members: number, nowNs: number): Entry[] {
    const taken = this.taken(members);
    const { shapes } = this.#sources;
    if (members === 1) return taken;
    taken.length = shapes.fitting(taken);
    if (!shapes.sizes.any || taken.length === 1) return taken;
    const curve = shapes.costs?.curve(this.#choice?.costClass ?? shapes.costClass((taken[0] as Entry).item));
    taken.length = shapes.sizes.toStart(taken, curve, nowNs);
    return taken;
  }

  line(rows: number): readonly Entry[] {
    if (rows !== this.#lineRows) {
      this.#lineRows = rows;
      this.#saturated = (this.#choice ?? this.#sources.waiting).gather(rows, this.#line);
    }
    return this.#line;
  }

  /** The curve of a class of shapes, with `mostRows` for it; undefined while it is unknown. */
  curveOf(costClass: string): CostCurve | undefined {
    const { shapes, executor } = this.#sources;
    const curve = shapes.costs?.curve(costClass, executor.nextDevice?.());
    if (curve !== undefined && curve !== this.#payingCurve) {
      this.#payingCurve = curve;
      const most = Math.max(this.policy.maxBatchSize, 1);
      this.mostRows = this.policy.batchLimit === 'max' ? most : rowsThatPay(curve, most);
    }
    return curve;
  }
}
