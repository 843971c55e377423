import {
  type BatchPolicy,
  type Clock,
  type CostMeter,
  type CostModel,
  type Executor,
  type ModelSpec,
  NO_DEADLINE,
  NOBODY,
  type QueueMetrics,
  type QueueOutlook,
  type SchedulerReport,
  ServingError,
} from '../../core/index.js';
import { AdmissionDesk, type Shed } from './admission-desk.js';
import { Answers } from './answers.js';
import { ArrivalRate } from './arrival-rate.js';
import { CostBooking } from './cost-booking.js';
import { CostUse } from './cost-use.js';
import { DeadlineGuard } from './deadline-guard.js';
import { decide } from './decide.js';
import { DecisionLog } from './decision-log.js';
import { DrainRate } from './drain-rate.js';
import { DueHeap } from './due-heap.js';
import { Entry } from './entry.js';
import { ExecutionShapes } from './execution-shape.js';
import { Executions, rowsOf, type Together } from './executions.js';
import { FairShares } from './fair-shares.js';
import { InFlight } from './in-flight.js';
import { LineView } from './line-view.js';
import { outlook } from './outlook.js';
import { QueueBounds } from './queue-bounds.js';
import type { QueueItem, VersionQueue } from './queue-item.js';
import * as refusals from './refusals.js';
import { report } from './report.js';
import type { Decide, Decision, Why } from './scheduling-view.js';
import { Settlement } from './settlement.js';
import { Levels, waitLimits } from './wait-limits.js';
import { WaitList } from './wait-list.js';
import { WakeUp } from './wake-up.js';

export interface BatcherOptions {
  readonly spec: ModelSpec;
  /** Taken over: the batcher is its one listener. */
  readonly executor: Executor;
  readonly clock: Clock;
  readonly metrics: QueueMetrics;
  /** Most requests that wait, where their level's policy sets no bound of its own; at least 1. */
  readonly maxQueueSize: number;
  /** How long executions take: with it requests that have a deadline are planned for. Told of each that ends well. */
  readonly costs?: CostModel;
  /** Where its executions are booked; absent: nowhere. */
  readonly meter?: CostMeter | undefined;
  /** Where its executions run, where all do on one device; default the CPU. */
  readonly device?: string | undefined;
  /** False: a batch that fails is not run again in parts, as its members' state may have moved; default true. */
  readonly repeatable?: boolean;
  /**
   * True for an executor of one slot whose callers answer with the next request: the next batch is chosen when the answers of
   * the last are given, so that it has them all. Default false: a slot never waits for replies.
   */
  readonly answersFirst?: boolean;
  /** Another decision than `decide`, for comparisons; it does its own refusing. */
  readonly decide?: Decide;
}

type Wait = Extract<Decision, { kind: 'wait' }>;

/**
 * The queue of one model version. Free instances pull: whenever a slot is free, `decide` is asked, and until a slot takes
 * it the batch goes on growing. Every accepted item is settled exactly once: with its rows, an error, its deadline, its
 * cancellation, or the end of the drain. One clock timer at most. Per request O(log n), at most.
 */
export class Batcher implements VersionQueue {
  readonly #spec: ModelSpec;
  readonly #policy: BatchPolicy;
  readonly #executor: Executor;
  readonly #clock: Clock;
  readonly #metrics: QueueMetrics;

  readonly #levels: Levels;
  readonly #waiting: WaitList;
  readonly #due = new DueHeap<Entry>();
  readonly #settlement: Settlement;
  readonly #rate = new DrainRate();
  readonly #wakeUp: WakeUp;

  readonly #costs: CostUse;
  readonly #shapes: ExecutionShapes;
  readonly #decide: Decide;
  /** Undefined where cost is unknown, or another decision does its own refusing. */
  readonly #guard: DeadlineGuard | undefined;
  readonly #desk: AdmissionDesk;
  readonly #executions: Executions;
  readonly #shares = new FairShares();
  readonly #arrivals = new ArrivalRate();
  readonly #inFlight = new InFlight();
  /** What the decision sees. */
  readonly #view: LineView;
  readonly #log = new DecisionLog();
  #wait: Wait | undefined;
  #waitHead: Entry | undefined;

  #depth = 0;
  /** Requests that come of answers (the next of each sequence) are looked at together, when those answers are given. */
  readonly #together: Together = {
    begin: () => {
      const within = this.#pumping;
      this.#pumping = true;
      return within;
    },
    end: (within) => {
      this.#pumping = within;
      if (this.#again && !within) this.#pump();
    },
  };
  #pumping = false;
  /** Asked to while it must not: what was added is looked at when it may. */
  #again = false;
  #drainUntilNs = Number.POSITIVE_INFINITY;
  #draining: (() => void)[] | undefined;

  constructor(options: BatcherOptions) {
    const { spec, executor, maxQueueSize } = options;
    if (maxQueueSize < 1) throw new Error(`a queue holds at least 1 request, not ${maxQueueSize}`);
    this.#spec = spec;
    this.#policy = spec.batching;
    this.#executor = executor;
    this.#clock = options.clock;
    this.#wakeUp = new WakeUp(options.clock, () => this.#pump());
    this.#metrics = options.metrics;
    this.#levels = new Levels(this.#policy);
    this.#shapes = new ExecutionShapes(spec, options.costs);
    this.#costs = new CostUse(this.#shapes.costs, this.#policy, executor);
    this.#decide = options.decide ?? decide;
    this.#waiting = new WaitList(options.costs !== undefined && !this.#policy.preserveOrdering, this.#shares);
    this.#settlement = new Settlement({ waiting: this.#waiting, due: this.#due }, this.#policy.preserveOrdering, () =>
      this.#endDrain(),
    );
    this.#view = new LineView({
      policy: this.#policy,
      waiting: this.#waiting,
      executor,
      inFlight: this.#inFlight,
      arrivals: this.#arrivals,
      shapes: this.#shapes,
    });
    if (options.costs !== undefined && options.decide === undefined) {
      const sources = { policy: this.#policy, executor, view: this.#view, waiting: this.#waiting };
      this.#guard = new DeadlineGuard({ ...sources, shapes: this.#shapes });
    }
    const { metrics, clock } = options;
    const settlement = this.#settlement;
    const promised = this.#guard !== undefined;
    const booking = new CostBooking(options.meter, this.#shapes);
    const { device = 'cpu', answersFirst = false, repeatable = true } = options;
    const apart = { nowNs: () => clock.nowNs(), later: (more: () => void) => this.#executions.answerLater(more) };
    // A run that holds the thread would come before answers that are left.
    const turns = () => (answersFirst || executor.holdsThread?.() === true ? undefined : apart);
    this.#executions = new Executions({
      spec,
      executor,
      waiting: this.#waiting,
      view: this.#view,
      log: this.#log,
      inFlight: this.#inFlight,
      rate: this.#rate,
      shapes: this.#shapes,
      costs: this.#costs,
      shares: this.#shares,
      booking,
      answers: new Answers({
        spec,
        shapes: this.#shapes,
        promised,
        clock,
        metrics,
        settlement,
        booking,
        device,
        turns,
      }),
      repeatable,
      clock,
      together: this.#together,
      pump: () => this.#pump(),
    });
    const bounds = new QueueBounds({
      maxQueueSize,
      mayDisplace: !this.#policy.preserveOrdering,
      waiting: this.#waiting,
      shares: this.#shares,
      settlement,
      rate: this.#rate,
    });
    const { guard, waiting, arrivals, log } = {
      guard: this.#guard,
      waiting: this.#waiting,
      arrivals: this.#arrivals,
      log: this.#log,
    };
    this.#desk = new AdmissionDesk({ bounds, guard, waiting, arrivals, executor, clock, log });
    executor.onSlotFree = () => {
      // The run that ended still counts: its outcome comes as soon as this returns.
      if (answersFirst && this.#executions.running > 0) this.#again = true;
      else this.#pump();
    };
  }

  /** What it does and why, for people. */
  report(): SchedulerReport {
    const shapes = this.#shapes;
    const sources = {
      batching: this.#policy,
      view: this.#view,
      executor: this.#executor,
      log: this.#log,
      shares: this.#shares,
      shapes,
    };
    const idleBecause = this.#executor.freeSlots() > 0 ? this.#wait?.why : undefined;
    const state = { running: this.#executions.running, waiting: this.#waiting.size, planning: this.#costs.planning };
    const head = this.#waiting.head();
    const costClass = head === undefined ? shapes.lastClass : shapes.costClass(head.item);
    return report(sources, { ...state, idleBecause, costClass }, this.#clock.nowNs());
  }

  /** How its line stands, and what a request that came now had to expect. */
  outlook(): QueueOutlook {
    return outlook(
      {
        spec: this.#spec,
        executor: this.#executor,
        running: this.#executions.running,
        inFlight: this.#inFlight,
        arrivals: this.#arrivals,
        view: this.#view,
        waiting: this.#waiting,
        shapes: this.#shapes,
        rate: this.#rate,
      },
      this.#clock.nowNs(),
    );
  }

  /** Requests waiting for an instance. */
  get depth(): number {
    return this.#waiting.size;
  }

  /**
   * Takes a request, whose rows are at least 1 and at most the version's. Throws `QUEUE_FULL`, `DRAINING`,
   * `DEADLINE_EXCEEDED`; then it is not the batcher's and is not settled. Otherwise it is settled once, perhaps at once.
   */
  enqueue(item: QueueItem): void {
    this.#checkItem(item);
    if (this.#draining !== undefined) throw refusals.draining(this.#spec);
    const level = this.#levels.of(item.priority);
    const account = this.#shares.of(item.tenant ?? NOBODY);
    const limits = waitLimits(item, level.policy, this.#policy.sloMs);
    if (limits.deadlineNs <= item.enqueuedNs) throw refusals.lateOnArrival(item);
    if (limits.deadlineNs !== NO_DEADLINE) this.#costs.plan();
    const shed = this.#desk.admit(item, account, level, limits);
    if (shed instanceof ServingError) throw shed;

    const entry = new Entry(item, account, level, limits);
    this.#settlement.add(entry);
    this.#waiting.add(entry);
    this.#due.set(entry, this.#dueWhileWaiting(entry, item.enqueuedNs));
    if (shed.length > 0) this.#shed(shed);
    if (this.#mayChangeTheDecision(entry)) this.#pump();
    else this.#arm();
    this.#tellDepth();
  }

  /** The caller went away: settles it with `CLIENT_CANCELLED` now and frees its place. No effect once it is settled. */
  cancel(item: QueueItem): void {
    const entry = this.#settlement.find(item);
    if (entry === undefined) return;
    const waited = entry.state === 'waiting';
    this.#settlement.dismiss(entry, refusals.cancelled());
    if (waited) this.#pump();
  }

  /**
   * Settles every waiting request with `error`, those in flight go on: for an executor that has no lane left and none in
   * sight.
   */
  failWaiting(error: ServingError): void {
    for (const entry of this.#executions.takeParts())
      if (entry.state === 'running') this.#settlement.dismiss(entry, error);
    for (const entry of this.#settlement.all()) if (entry.state === 'waiting') this.#settlement.dismiss(entry, error);
    this.#pump();
  }

  /**
   * Takes no more requests and resolves when every accepted one is settled; what is left after `timeoutMs` is settled with
   * `DRAINING` and its runs are stopped.
   */
  drain(timeoutMs: number): Promise<void> {
    this.#draining ??= [];
    this.#drainUntilNs = Math.min(this.#drainUntilNs, this.#clock.nowNs() + timeoutMs * 1e6);
    const drains = this.#draining;
    return new Promise((resolve) => {
      drains.push(resolve);
      // Nothing can join the batch that is being gathered any more.
      this.#pump();
      this.#endDrain();
    });
  }

  /**
   * Expires what is due and starts what can start. A settled item may enqueue and cancel while this runs; it all happens
   * before the last look at the line, so a call from within has nothing to add.
   */
  #pump(): void {
    if (this.#pumping) {
      this.#again = true;
      return;
    }
    this.#pumping = true;
    try {
      const nowNs = this.#clock.nowNs();
      this.#expire(nowNs);
      this.#schedule(nowNs);
    } finally {
      this.#pumping = false;
      this.#again = false;
    }
    this.#arm();
    this.#tellDepth();
  }

  #schedule(nowNs: number): void {
    this.#wait = undefined;
    this.#waitHead = undefined;
    while (this.#executions.hasParts && this.#executor.freeSlots() > 0) this.#executions.runPart(nowNs);
    while (this.#waiting.size > 0 && this.#executor.freeSlots() > 0) {
      const view = this.#view;
      view.look(this.#draining !== undefined, nowNs);
      const decision = this.#decide(view, nowNs);
      if (decision.kind === 'run') this.#run(view.toStart(decision.members, nowNs), decision.why, nowNs);
      else if (decision.kind === 'drop')
        this.#drop(view.taken(decision.members, decision.byDeadline), decision.why, nowNs);
      else {
        if (decision.kind === 'wait') {
          const waitNs = decision.untilNs - nowNs;
          this.#log.add(nowNs, 'wait', decision.why, view.rows, view.waiting, view.freeSlots, waitNs);
          this.#wait = decision;
          this.#waitHead = this.#waiting.head();
        }
        return;
      }
    }
  }

  /** Refuses requests of the line for the sake of the others. */
  #drop(entries: readonly Entry[], why: Why, nowNs: number): void {
    if (entries.length === 0) throw new Error('a decision to drop nothing');
    this.#log.add(nowNs, 'drop', why, entries.length, this.#view.waiting, this.#view.freeSlots);
    for (const entry of entries) {
      this.#broken(entry, nowNs);
      const needNs = this.#view.curveOf(this.#shapes.costClass(entry.item))?.upperNs(entry.rows);
      this.#settlement.fail(entry, refusals.dropped(entry, why, nowNs, needNs));
    }
  }

  /** Settles those that give way to a newcomer. Whoever is told so may have cancelled the next one. */
  #shed(shed: readonly Shed[]): void {
    const nowNs = this.#clock.nowNs();
    const used = this.#waiting.size;
    for (const { entry, why } of shed) {
      if (entry.state !== 'waiting') continue;
      this.#log.add(nowNs, 'drop', why, entry.rows, used, this.#executor.freeSlots());
      this.#broken(entry, nowNs);
      this.#settlement.fail(entry, refusals.displaced(entry, why, nowNs, used, this.#rate.retryAfterMs(used)));
    }
  }

  /** A request that was admitted is refused in the queue. */
  #broken(entry: Entry, nowNs: number): void {
    entry.account.countRefused(entry.criticality);
    this.#guard?.broken(entry, nowNs);
  }

  /** While a batch is held open, a request matters only if it is served first now or brings a size worth asking at. */
  #mayChangeTheDecision(entry: Entry): boolean {
    if (this.#wait === undefined || this.#waiting.head() !== this.#waitHead) return true;
    return entry.group === this.#waitHead?.group && (entry.group?.rows ?? 0) >= this.#wait.untilRows;
  }

  /** Starts what the decision chose. */
  #run(entries: readonly Entry[], why: Why, nowNs: number): void {
    if (entries.length === 0) throw new Error('a decision to run nothing');
    const { waiting, freeSlots } = this.#view;
    for (const entry of entries) {
      this.#waiting.remove(entry);
      this.#shares.charge(entry);
      entry.state = 'running';
      entry.expiresNs = NO_DEADLINE;
      this.#due.set(entry, entry.answerByNs);
    }
    this.#log.add(nowNs, 'run', why, rowsOf(entries), waiting, freeSlots);
    this.#executions.start(entries, nowNs);
  }

  #expire(nowNs: number): void {
    if (nowNs >= this.#drainUntilNs) this.#giveUp();
    for (let entry = this.#due.first; entry !== undefined && entry.dueNs <= nowNs; entry = this.#due.first) {
      const waited = nowNs - entry.enqueuedNs;
      if (entry.state === 'waiting' && entry.deadlineNs > nowNs && entry.expiresNs > nowNs) {
        const error = this.#guard?.outOfReach(entry, nowNs);
        if (error === undefined) this.#due.set(entry, Math.min(entry.expiresNs, entry.deadlineNs));
        else {
          this.#broken(entry, nowNs);
          this.#settlement.fail(entry, error);
        }
      } else if (entry.deadlineNs <= nowNs) {
        this.#settlement.fail(entry, refusals.deadlinePassed(entry, waited));
      } else if (entry.level.policy.timeoutAction === 'DELAY') {
        entry.expiresNs = NO_DEADLINE;
        this.#due.set(entry, this.#dueWhileWaiting(entry, nowNs));
        this.#waiting.delay(entry);
      } else {
        this.#settlement.fail(entry, refusals.expired(entry, waited));
      }
    }
  }

  /** The instant at which something happens to a waiting request. */
  #dueWhileWaiting(entry: Entry, nowNs: number): number {
    const lastStartNs = this.#guard?.lastStartNs(entry, nowNs) ?? NO_DEADLINE;
    return Math.min(entry.expiresNs, entry.deadlineNs, lastStartNs);
  }

  /** The drain took too long: whoever still waits is told so. */
  #giveUp(): void {
    this.#drainUntilNs = Number.POSITIVE_INFINITY;
    for (const entry of this.#settlement.all()) {
      if (entry.state !== 'settled') this.#settlement.dismiss(entry, refusals.cutOff(this.#spec));
    }
  }

  #endDrain(): void {
    if (this.#draining === undefined || this.#settlement.open > 0) return;
    for (const resolve of this.#draining.splice(0)) resolve();
    this.#drainUntilNs = Number.POSITIVE_INFINITY;
    this.#wakeUp.clear();
  }

  /** Sees to it that the batcher wakes no later than at the next instant that matters. */
  #arm(): void {
    const dueNs = this.#due.first?.dueNs ?? Number.POSITIVE_INFINITY;
    this.#wakeUp.atLatest(Math.min(dueNs, this.#wait?.untilNs ?? Number.POSITIVE_INFINITY, this.#drainUntilNs));
  }

  #tellDepth(): void {
    const depth = this.#waiting.size;
    if (depth === this.#depth) return;
    this.#depth = depth;
    this.#metrics.setQueueDepth(depth);
  }

  #checkItem(item: QueueItem): void {
    const { rows } = item.member;
    const most = this.#policy.maxBatchSize === 0 ? 1 : this.#policy.maxBatchSize;
    if (!(rows >= 1 && rows <= most)) throw new Error(`a request of ${rows} rows, where 1 to ${most} can be taken`);
    if (this.#settlement.find(item) !== undefined) throw new Error('the item is queued already');
  }
}
