import {
  type Batch,
  type BatchOutcome,
  type BatchPolicy,
  type Clock,
  type CostModel,
  type Executor,
  type ModelSpec,
  NO_DEADLINE,
  type ServingError,
  type Tensor,
  toServingError,
  type VersionMetrics,
} from '../../core/index.js';
import { cannotMeet } from './admission-forecast.js';
import { AdmissionMargin } from './admission-margin.js';
import { ArrivalRate } from './arrival-rate.js';
import { PROBE_NS } from './deadline-rules.js';
import { decide } from './decide.js';
import { DrainRate } from './drain-rate.js';
import { DueHeap } from './due-heap.js';
import { Entry } from './entry.js';
import { InFlight } from './in-flight.js';
import { LineView } from './line-view.js';
import type { MemberOutcome, QueueItem, RequestQueue } from './queue-item.js';
import * as refusals from './refusals.js';
import { ReplyOrder } from './reply-order.js';
import { RunningBatch } from './running-batch.js';
import type { Decide, Decision, Why } from './scheduling-view.js';
import { splitOutputs } from './split.js';
import { type Level, Levels, waitLimits } from './wait-limits.js';
import { WaitList } from './wait-list.js';
import { WakeUp } from './wake-up.js';

export interface BatcherOptions {
  readonly spec: ModelSpec;
  /** Taken over: the batcher is its one listener. */
  readonly executor: Executor;
  readonly clock: Clock;
  readonly metrics: VersionMetrics;
  /** Most requests that wait, where their level's policy sets no bound of its own; at least 1. */
  readonly maxQueueSize: number;
  /** How long executions take: with it requests that have a deadline are planned for. Told of each that ends well. */
  readonly costs?: CostModel;
  /** Another decision than `decide`, for comparisons; it does its own refusing. */
  readonly decide?: Decide;
}

type Wait = Extract<Decision, { kind: 'wait' }>;

/**
 * The queue of one model version. Free instances pull: whenever a slot is free, `decide` is asked, and until a slot takes
 * it the batch goes on growing. Every accepted item is settled exactly once: with its rows, an error, its deadline, its
 * cancellation, or the end of the drain. One clock timer at most. Per request O(log n), at most.
 */
export class Batcher implements RequestQueue {
  readonly #spec: ModelSpec;
  readonly #policy: BatchPolicy;
  readonly #executor: Executor;
  readonly #clock: Clock;
  readonly #metrics: VersionMetrics;
  readonly #maxQueueSize: number;

  readonly #levels: Levels;
  readonly #entries = new Map<QueueItem, Entry>();
  readonly #waiting: WaitList;
  readonly #due = new DueHeap();
  readonly #order: ReplyOrder | undefined;
  readonly #rate = new DrainRate();
  readonly #wakeUp: WakeUp;

  readonly #costs: CostModel | undefined;
  readonly #decide: Decide;
  /** Refuses what cannot be in time: as soon as that is known, from admission on. */
  readonly #refusesEarly: boolean;
  readonly #margin = new AdmissionMargin();
  readonly #arrivals = new ArrivalRate();
  readonly #inFlight = new InFlight();
  /** What the decision sees. */
  readonly #view: LineView;
  #wait: Wait | undefined;
  #waitHead: Entry | undefined;

  #running = 0;
  #depth = 0;
  #pumping = false;
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
    this.#maxQueueSize = maxQueueSize;
    this.#levels = new Levels(this.#policy);
    this.#order = this.#policy.preserveOrdering ? new ReplyOrder() : undefined;
    this.#costs = options.costs;
    this.#decide = options.decide ?? decide;
    this.#refusesEarly = options.costs !== undefined && options.decide === undefined;
    this.#waiting = new WaitList(options.costs !== undefined && !this.#policy.preserveOrdering);
    this.#view = new LineView({
      policy: this.#policy,
      waiting: this.#waiting,
      executor,
      inFlight: this.#inFlight,
      arrivals: this.#arrivals,
      costs: options.costs,
    });
    executor.onSlotFree = () => this.#pump();
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
    this.#checkRoom(level);
    const limits = waitLimits(item, level.policy, this.#policy.sloMs);
    if (limits.deadlineNs <= item.enqueuedNs) throw refusals.lateOnArrival(item);
    this.#arrivals.arrived(item.member.rows, item.enqueuedNs);
    if (this.#refusesEarly && limits.deadlineNs !== NO_DEADLINE) this.#checkDeadline(item, level, limits.deadlineNs);

    const entry = new Entry(item, level, limits);
    this.#entries.set(item, entry);
    this.#order?.add(entry);
    this.#waiting.add(entry);
    this.#due.set(entry, this.#dueWhileWaiting(entry));
    if (this.#mayChangeTheDecision(entry)) this.#pump();
    else this.#arm();
    this.#tellDepth();
  }

  /** The caller went away: settles it with `CLIENT_CANCELLED` now and frees its place. No effect once it is settled. */
  cancel(item: QueueItem): void {
    const entry = this.#entries.get(item);
    if (entry === undefined) return;
    const waited = entry.state === 'waiting';
    this.#dismiss(entry, refusals.cancelled());
    if (waited) this.#pump();
  }

  /**
   * Settles every waiting request with `error`, those in flight go on: for an executor that has no lane left and none in
   * sight.
   */
  failWaiting(error: ServingError): void {
    for (const entry of [...this.#entries.values()]) if (entry.state === 'waiting') this.#dismiss(entry, error);
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
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      const nowNs = this.#clock.nowNs();
      this.#expire(nowNs);
      this.#schedule(nowNs);
    } finally {
      this.#pumping = false;
    }
    this.#arm();
    this.#tellDepth();
  }

  #schedule(nowNs: number): void {
    this.#wait = undefined;
    this.#waitHead = undefined;
    while (this.#waiting.size > 0) {
      if (this.#executor.freeSlots() < 1) return;
      const view = this.#view;
      view.look(this.#draining !== undefined, nowNs);
      const decision = this.#decide(view, nowNs);
      if (decision.kind === 'run') this.#start(view.taken(decision.members), nowNs);
      else if (decision.kind === 'drop') this.#drop(view.taken(decision.members), decision.why, nowNs);
      else {
        if (decision.kind === 'wait') {
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
    for (const entry of entries) {
      this.#margin.broken();
      const error = refusals.dropped(entry, why, nowNs, this.#view.curveOf(entry.item.key)?.upperNs(entry.rows));
      this.#detach(entry);
      this.#finish(entry, { kind: 'failed', error });
    }
  }

  /** While a batch is held open, a request matters only if it is served first now or brings a size worth asking at. */
  #mayChangeTheDecision(entry: Entry): boolean {
    if (this.#wait === undefined || this.#waiting.head() !== this.#waitHead) return true;
    return entry.group === this.#waitHead?.group && (entry.group?.rows ?? 0) >= this.#wait.untilRows;
  }

  #start(entries: Entry[], nowNs: number): void {
    if (entries.length === 0) throw new Error('a decision to run nothing');
    let rows = 0;
    for (const entry of entries) rows += entry.rows;
    const batch: Batch = { version: this.#spec.id, members: entries.map((entry) => entry.item.member), rows };
    const running = new RunningBatch(batch, entries, nowNs + this.#expectedNs(entries, rows));
    for (const entry of entries) {
      this.#waiting.remove(entry);
      entry.state = 'running';
      entry.batch = running;
      entry.expiresNs = NO_DEADLINE;
      this.#due.set(entry, entry.answerByNs);
    }
    this.#running++;
    this.#inFlight.add(running.endsNs);
    this.#view.lastStartNs = nowNs;
    try {
      running.handle = this.#executor.execute(batch, (outcome) => this.#ended(running, outcome));
    } catch (thrown) {
      this.#left(running);
      this.#failMembers(running, toServingError(thrown));
    }
  }

  /** How long an execution is expected to take; 0 while nothing is known. */
  #expectedNs(entries: readonly Entry[], rows: number): number {
    return this.#costs?.curve((entries[0] as Entry).item.key)?.meanNs(rows) ?? 0;
  }

  #left(running: RunningBatch): void {
    this.#running--;
    this.#inFlight.remove(running.endsNs);
  }

  #ended(running: RunningBatch, outcome: BatchOutcome): void {
    this.#left(running);
    const { takenNs, finishedNs } = outcome.timing;
    this.#rate.ended(running.entries.length, takenNs, finishedNs, this.#running > 0 || this.#waiting.size > 0);
    if (outcome.kind === 'failed') this.#failMembers(running, outcome.error);
    else {
      const { key } = (running.entries[0] as Entry).item;
      this.#costs?.observe(key, running.batch.rows, finishedNs - takenNs, finishedNs);
      this.#answerMembers(running, outcome);
    }
  }

  #answerMembers(running: RunningBatch, outcome: Extract<BatchOutcome, { kind: 'done' }>): void {
    const { entries, batch } = running;
    const { takenNs, gatheredNs, startedNs, finishedNs } = outcome.timing;
    const batched = this.#policy.maxBatchSize > 0;
    let parts: readonly (readonly Tensor[] | undefined)[];
    try {
      parts = batched ? splitOutputs(running, outcome.outputs) : [outcome.outputs];
    } catch (thrown) {
      this.#failMembers(running, toServingError(thrown));
      return;
    }
    const scatterNs = Math.max(this.#clock.nowNs() - finishedNs, 0);
    this.#metrics.executed(batch.rows, gatheredNs - takenNs, finishedNs - gatheredNs, scatterNs);
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      const outputs = parts[i];
      if (entry.state !== 'running' || outputs === undefined) continue;
      this.#margin.kept();
      this.#finish(entry, {
        kind: 'done',
        outputs,
        queueNs: Math.max(takenNs - entry.enqueuedNs, 0),
        gatherNs: gatheredNs - takenNs,
        dispatchNs: startedNs - gatheredNs,
        computeNs: finishedNs - startedNs,
        batchRows: batched ? batch.rows : 0,
        batchFinishedNs: finishedNs,
      });
    }
  }

  #failMembers(running: RunningBatch, error: ServingError): void {
    for (const entry of running.entries) if (entry.state === 'running') this.#finish(entry, { kind: 'failed', error });
  }

  #expire(nowNs: number): void {
    if (nowNs >= this.#drainUntilNs) this.#giveUp();
    for (let entry = this.#due.first; entry !== undefined && entry.dueNs <= nowNs; entry = this.#due.first) {
      const waited = nowNs - entry.enqueuedNs;
      if (entry.state === 'waiting' && entry.deadlineNs > nowNs && entry.expiresNs > nowNs) {
        this.#outOfReach(entry, nowNs);
      } else if (entry.deadlineNs <= nowNs) {
        const error = refusals.deadlinePassed(entry, waited);
        this.#detach(entry);
        this.#finish(entry, { kind: 'failed', error });
      } else if (entry.level.policy.timeoutAction === 'DELAY') {
        entry.expiresNs = NO_DEADLINE;
        this.#due.set(entry, this.#dueWhileWaiting(entry));
        this.#waiting.delay(entry);
      } else {
        const error = refusals.expired(entry, waited);
        this.#detach(entry);
        this.#finish(entry, { kind: 'failed', error });
      }
    }
  }

  /**
   * The instant at which something happens to a waiting request: its time-out, its deadline, or the instant after which an
   * execution would end past its deadline.
   */
  #dueWhileWaiting(entry: Entry): number {
    const dueNs = Math.min(entry.expiresNs, entry.deadlineNs);
    if (!this.#refusesEarly || entry.deadlineNs === NO_DEADLINE) return dueNs;
    const curve = this.#costs?.curve(entry.item.key);
    if (curve === undefined) return dueNs;
    // After it, not at it: an execution that starts now and takes what is left is in time.
    return Math.min(dueNs, Math.max(entry.deadlineNs - curve.upperNs(entry.rows), this.#clock.nowNs()) + 1);
  }

  /** No execution that starts now would end by its deadline: refuses it, unless it is time to try whether that is true. */
  #outOfReach(entry: Entry, nowNs: number): void {
    const needNs = this.#costs?.curve(entry.item.key)?.upperNs(entry.rows) ?? 0;
    if (nowNs - this.#view.lastStartNs > PROBE_NS || nowNs + needNs <= entry.deadlineNs) {
      this.#due.set(entry, Math.min(entry.expiresNs, entry.deadlineNs));
      return;
    }
    this.#margin.broken();
    const error = refusals.dropped(entry, 'its deadline cannot be met any more', nowNs, needNs);
    this.#detach(entry);
    this.#finish(entry, { kind: 'failed', error });
  }

  /** Refuses a request that could not be answered in time: `DEADLINE_EXCEEDED` whatever the load, else `OVERLOADED`. */
  #checkDeadline(item: QueueItem, level: Level, deadlineNs: number): void {
    const view = this.#view;
    const curve = view.curveOf(item.key);
    if (curve === undefined) return;
    const nowNs = this.#clock.nowNs();
    if (nowNs - view.lastStartNs > PROBE_NS) return;
    const { rows } = item.member;
    if (nowNs + curve.upperNs(rows) > deadlineNs) throw refusals.tooShort(deadlineNs - nowNs, curve.upperNs(rows));
    if (!this.#policy.dynamic || (this.#waiting.size === 0 && this.#executor.freeSlots() > 0)) return;
    view.lookAhead(nowNs);
    const { instances, freeSlots, busyUntilNs, mostRows } = view;
    const rowsAhead = this.#levels.rowsUpTo(level.level) - this.#waiting.rowsOvertaken(level.level, deadlineNs);
    const tightestNs = this.#waiting.head()?.orderNs ?? NO_DEADLINE;
    const { share: margin } = this.#margin;
    const backlog = { curve, margin, mostRows, rowsAhead, tightestNs, instances, freeSlots, busyUntilNs };
    const roomNs = cannotMeet(backlog, rows, deadlineNs, nowNs);
    if (roomNs !== undefined) throw refusals.noRoomInTime(deadlineNs - nowNs, roomNs - nowNs, rowsAhead);
  }

  /** The drain took too long: whoever still waits is told so. */
  #giveUp(): void {
    this.#drainUntilNs = Number.POSITIVE_INFINITY;
    for (const entry of [...this.#entries.values()]) {
      if (entry.state !== 'settled') this.#dismiss(entry, refusals.cutOff(this.#spec));
    }
  }

  /** Settles an entry now, whatever it is doing, out of the order of replies. */
  #dismiss(entry: Entry, error: ServingError): void {
    this.#detach(entry);
    this.#order?.remove(entry);
    this.#answer(entry, { kind: 'failed', error });
    this.#release();
  }

  /** Takes an entry from wherever it stands; the last one of a batch to go stops the run. */
  #detach(entry: Entry): void {
    const { state, batch } = entry;
    this.#due.remove(entry);
    if (state === 'waiting') this.#waiting.remove(entry);
    // Before the run is stopped, whose end must find that this one is settled.
    entry.state = 'finished';
    entry.batch = undefined;
    if (state === 'running') batch?.leave();
  }

  /** An entry has its outcome: settles it, in its turn where the order of replies is kept. */
  #finish(entry: Entry, outcome: MemberOutcome): void {
    this.#due.remove(entry);
    entry.batch = undefined;
    if (this.#order !== undefined) {
      if (!this.#order.isNext(entry)) {
        this.#order.hold(entry, outcome);
        return;
      }
      this.#order.remove(entry);
    }
    this.#answer(entry, outcome);
    this.#release();
  }

  /** Settles replies that waited for the one before them. */
  #release(): void {
    if (this.#order === undefined) return;
    for (let entry = this.#order.ready(); entry !== undefined; entry = this.#order.ready()) {
      const { outcome } = entry;
      this.#order.remove(entry);
      if (outcome !== undefined) this.#answer(entry, outcome);
    }
  }

  #answer(entry: Entry, outcome: MemberOutcome): void {
    entry.state = 'settled';
    this.#entries.delete(entry.item);
    entry.item.settle(outcome);
    if (this.#draining !== undefined) this.#endDrain();
  }

  #endDrain(): void {
    if (this.#draining === undefined || this.#entries.size > 0) return;
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
    if (this.#entries.has(item)) throw new Error('the item is queued already');
  }

  #checkRoom(level: Level): void {
    const own = level.policy.maxQueueSize;
    const held = this.#order?.held ?? 0;
    const all = this.#waiting.size + held;
    if (own > 0 && level.waiting >= own) this.#refuse(level.waiting, own, level.level);
    // Held replies keep memory, so they are bounded where a level's own bound counts only who waits.
    if ((own > 0 ? held : all) >= this.#maxQueueSize) this.#refuse(all, this.#maxQueueSize, undefined);
  }

  #refuse(used: number, bound: number, level: number | undefined): never {
    throw refusals.queueFull(used, bound, level, this.#rate.retryAfterMs(used));
  }
}
