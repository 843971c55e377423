import {
  type Clock,
  type Executor,
  type ModelSpec,
  type QueueMetrics,
  type QueueOutlook,
  type SchedulerReport,
  type SequenceId,
  type SequencePlan,
  type SequencesReport,
  type ServingError,
  type Tensor,
  toServingError,
} from '../../core/index.js';
import {
  type MemberDone,
  type MemberOutcome,
  type QueueItem,
  type RequestQueue,
  type VersionQueue,
  WakeUp,
  waitLimits,
} from '../batcher/index.js';
import { Accepted } from './accepted.js';
import { AgainOutput } from './again-output.js';
import { ControlTensors } from './control-tensors.js';
import { executedSpec } from './executed-spec.js';
import { fillRow } from './fill-row.js';
import { HeldRequest } from './held-request.js';
import { joinedOutlook, joinedReport } from './joined-reports.js';
import { KeptStates } from './kept-states.js';
import { LiveSequence } from './live-sequence.js';
import { Population } from './population.js';
import * as refusals from './refusals.js';
import { type SequenceEnd, SequenceFigures } from './sequence-figures.js';
import { SlotExecutor } from './slot-executor.js';
import { Turns } from './turns.js';

/** What the queue of one instance is made of. */
export interface InstanceQueueParts {
  /** Of what is executed. */
  readonly spec: ModelSpec;
  readonly executor: Executor;
  readonly metrics: QueueMetrics;
  readonly maxQueueSize: number;
  /** False where a failed batch may have moved state that the model keeps. */
  readonly repeatable: boolean;
  /** The answer of one request lets the next of its sequence in. */
  readonly answersFirst: true;
}

export interface SequencerOptions {
  /** As clients see it. */
  readonly spec: ModelSpec;
  readonly plan: SequencePlan;
  /** One for each instance: a sequence stays on its instance. */
  readonly executors: readonly Executor[];
  readonly clock: Clock;
  readonly metrics: QueueMetrics;
  /** Most requests that wait; at least 1. */
  readonly maxQueueSize: number;
  readonly open: (parts: InstanceQueueParts) => VersionQueue;
}

/** Responses on their way to the caller of one request, beyond which it is not run again. */
const MOST_UNTAKEN = 16;

/**
 * The queue of a version that serves sequences: gives each sequence a slot of an instance for its life, hands its requests one by
 * one to the queue of that instance, with control inputs and state, and keeps the state for the next. What waits for a slot
 * waits in the order that its sequences began. Every accepted item is settled exactly once. One clock timer at most.
 */
export class Sequencer implements VersionQueue {
  /** For requests that are each a sequence of their own, of no id. */
  readonly apart: RequestQueue;
  readonly #spec: ModelSpec;
  readonly #plan: SequencePlan;
  readonly #clock: Clock;
  readonly #maxQueueSize: number;
  readonly #queues: readonly VersionQueue[];
  readonly #population: Population;
  readonly #controls: ControlTensors;
  readonly #kept: KeptStates;
  readonly #figures: SequenceFigures;
  readonly #again: AgainOutput | undefined;
  readonly #wakeUp: WakeUp;

  readonly #accepted: Accepted;
  readonly #turns: Turns;
  /** Sequences whose requests are handed on just now: what settles meanwhile is seen by who hands them on. */
  readonly #advancing = new Set<LiveSequence>();
  /** Requests that came without an id: each is told to its model under a number of its own. */
  #numbered = 0;
  /** Instances that lost what their model kept. */
  readonly #lost = new Set<number>();
  #draining: (() => void)[] | undefined;
  #drainUntilNs = Number.POSITIVE_INFINITY;

  constructor(options: SequencerOptions) {
    const { spec, plan, executors, clock, metrics, maxQueueSize } = options;
    this.#spec = spec;
    this.#plan = plan;
    this.#clock = clock;
    this.#maxQueueSize = maxQueueSize;
    const executed = executedSpec(spec, plan);
    const batched = spec.maxBatchSize > 0;
    this.#controls = new ControlTensors(plan.controls, batched);
    this.#kept = new KeptStates(plan, executed);
    this.#figures = new SequenceFigures(metrics);
    this.#turns = new Turns(this.#figures);
    this.#accepted = new Accepted(spec.outputs.length, executors.length);
    this.#population = new Population(plan, executors.length, this.#figures);
    this.#again = plan.iterative && new AgainOutput(plan.iterative, executed);
    this.#wakeUp = new WakeUp(clock, () => this.#expire());
    const fill = fillRow(spec.inputs.length, this.#controls, this.#kept);
    this.#queues = executors.map((executor, instance) =>
      options.open({
        spec: executed,
        executor: plan.strategy === 'direct' && batched ? new SlotExecutor(executor, fill) : executor,
        metrics: this.#figures.ofInstance(instance),
        maxQueueSize: plan.slotsPerInstance,
        repeatable: plan.states.length > 0,
        answersFirst: true,
      }),
    );
    this.apart = {
      enqueue: (item) => this.#take(item, 0, true, true, this.#controls.nobody()),
      cancel: (item) => this.cancel(item),
    };
  }

  get depth(): number {
    return this.#figures.depth;
  }

  /**
   * Takes a request of a sequence; one of no rows ends it, without being run. Throws `MALFORMED_REQUEST` (no id, not begun, an id that the model cannot be told),
   * `SHAPE_MISMATCH`, `QUEUE_FULL`, `DRAINING`, `DEADLINE_EXCEEDED`; then it is not settled. Otherwise it is settled once.
   */
  enqueue(item: QueueItem): void {
    const { sequence } = item;
    if (sequence === undefined) {
      if (this.#again === undefined) throw refusals.withoutId(this.#spec);
      this.#take(item, 0, true, true, this.#controls.numbered(++this.#numbered));
      return;
    }
    if (item.member.rows === 0) {
      this.#end(sequence.id);
      item.settle({ kind: 'failed', error: refusals.cancelled(), execution: 0 });
      return;
    }
    this.#take(item, sequence.id, sequence.start, sequence.end, undefined);
  }

  /** The caller went away. As in Triton the sequence ends with the request: what comes of it later could not know what was left out. */
  cancel(item: QueueItem): void {
    const held = this.#accepted.find(item);
    if (held === undefined) return;
    const { of } = held;
    if (of.current === held) this.#queueOf(of).cancel(held);
    else {
      this.#turns.leave(held);
      this.#break(of, refusals.cancelledBefore(of.id));
      this.#accepted.answer(held, { kind: 'failed', error: refusals.cancelled(), execution: 0 });
    }
    this.#arm();
  }

  failWaiting(error: ServingError): void {
    for (const queue of this.#queues) queue.failWaiting(error);
    const before = this.#turns.leaveAll(this.#population.all());
    // What goes on keeps its slot, unless its state was the model's own, or its next beginning or its end is among what failed.
    const over = new Set(before.filter(({ start, last }) => start || last).map(({ of }) => of));
    for (const of of this.#population.all()) {
      if (this.#plan.states.length === 0 || !of.begun || over.has(of)) this.#close(of);
    }
    this.#failAll(before, () => error);
    // One between two runs of its request has none any more.
    for (const of of this.#population.all())
      if (of.phase.state === 'busy' && of.current === undefined) this.#advance(of);
    this.#arm();
  }

  drain(timeoutMs: number): Promise<void> {
    this.#draining ??= [];
    this.#drainUntilNs = Math.min(this.#drainUntilNs, this.#clock.nowNs() + timeoutMs * 1e6);
    const drains = this.#draining;
    for (const of of this.#population.idle()) this.#leave(of, 'broken');
    return new Promise((resolve) => {
      drains.push(resolve);
      this.#endDrain();
      this.#arm();
    });
  }

  report(): SchedulerReport {
    const reports = this.#queues.map((queue) => queue.report());
    return joinedReport(reports, this.depth, this.sequences());
  }

  /** Of its sequences alone. Cost: linear in those that are alive. */
  sequences(): SequencesReport {
    return this.#population.report(this.#plan.strategy, this.#kept.initial);
  }

  outlook(): QueueOutlook {
    const head = this.#population.next?.head;
    const waitedMs = head === undefined ? 0 : (this.#clock.nowNs() - head.item.enqueuedNs) / 1e6;
    const lines = this.#queues.map((queue) => queue.outlook());
    return joinedOutlook(lines, waitedMs);
  }

  /** `idTensor`: of a request apart; undefined: the sequence is looked for by its id. */
  #take(item: QueueItem, id: SequenceId, start: boolean, end: boolean, idTensor: Tensor | undefined): void {
    const apart = id === 0;
    if (this.#draining !== undefined) throw refusals.draining(this.#spec);
    if (item.member.rows !== 1) throw refusals.severalRows(this.#spec, item.member.rows);
    const known = apart ? undefined : this.#population.named(id);
    if (known?.open !== true && !start) throw refusals.notStarted(this.#spec, id);
    if (this.depth >= this.#maxQueueSize) throw refusals.queueFull(this.depth, this.#maxQueueSize);
    const { answerByNs } = waitLimits(item, this.#spec.batching.defaultQueuePolicy, 0);
    const nowNs = this.#clock.nowNs();
    if (answerByNs <= nowNs) throw refusals.lateOnArrival(nowNs - answerByNs);
    const of = known ?? new LiveSequence(id, apart ? idTensor : this.#controls.idTensor(id), this.#kept.initial);
    const held = new HeldRequest(item, of, { start, end }, answerByNs, this.#settled);
    // Which run will be the last nobody knows.
    if (apart && this.#again !== undefined) held.end = false;
    this.#accepted.add(held);
    this.#turns.wait(held);
    if (start) this.#figures.begun++;
    if (start && of.open) this.#figures.restarted++;
    of.open = !end;
    if (known === undefined) {
      this.#population.add(of, apart);
      this.#fillSlots();
    } else if (of.phase.state === 'idle') this.#advance(of);
    this.#arm();
  }

  /** Nobody goes on with it. */
  #end(id: SequenceId): void {
    const of = this.#population.named(id);
    if (of === undefined) return;
    this.#break(of, refusals.cancelledBefore(id));
    this.#arm();
  }

  #fillSlots(): void {
    this.#population.fillSlots((of) => this.#advance(of));
  }

  /** Hands on the next request of a sequence that has a slot and none under way. */
  #advance(of: LiveSequence): void {
    if (this.#advancing.has(of)) return;
    this.#advancing.add(of);
    while (of.current === undefined && of.phase.state !== 'over') {
      const held = of.head;
      if (held === undefined) {
        if (of.phase.state === 'busy') {
          if (this.#draining !== undefined) this.#leave(of, 'broken');
          else this.#population.rest(of, this.#clock.nowNs());
        }
        break;
      }
      if (held.untaken >= MOST_UNTAKEN) break;
      if (of.phase.state === 'idle') this.#population.wake(of);
      this.#handOn(of, held);
    }
    this.#advancing.delete(of);
  }

  #handOn(of: LiveSequence, held: HeldRequest): void {
    this.#turns.leave(held);
    if (held.start) {
      of.states = this.#kept.initial;
      of.begun = false;
    }
    const own = [...this.#controls.of(held, of.idTensor), ...of.states];
    held.enter(own, this.#kept.keyOf(of.states), of.slot?.index ?? 0, this.#clock.nowNs());
    of.current = held;
    try {
      this.#queueOf(of).enqueue(held);
    } catch (thrown) {
      this.#settled(held, { kind: 'failed', error: toServingError(thrown), execution: 0 });
    }
  }

  /** A request that was handed on has its outcome: its state is taken while the outputs are valid. */
  readonly #settled = (held: HeldRequest, outcome: MemberOutcome): void => {
    const { of } = held;
    of.current = undefined;
    let told = outcome;
    if (outcome.kind === 'done') {
      try {
        of.states = this.#kept.taken(outcome.outputs, of.states);
        of.begun = true;
        if (this.#again?.asked(outcome.outputs) === true) {
          this.#repeat(held, outcome);
          return;
        }
      } catch (thrown) {
        told = { kind: 'failed', error: toServingError(thrown), execution: outcome.execution };
      }
    } else if (held.verdict !== undefined) told = { ...outcome, error: held.verdict };
    this.#accepted.answer(held, told);
    if (of.phase.state !== 'over') this.#after(held, told);
    this.#endDrain();
    this.#arm();
  };

  /**
   * The model asks for another run: the request waits for its turn once more, before what came after it. A caller that takes
   * several responses is given this one; one that is slow to take them is waited for.
   */
  #repeat(held: HeldRequest, outcome: MemberDone): void {
    const again = this.#again as AgainOutput;
    const { of } = held;
    again.count(held);
    held.repeat(outcome);
    this.#turns.waitAgain(held);
    const { parts } = held.item.member;
    if (parts !== undefined) {
      held.untaken++;
      // Whatever it leads to, the next run is begun when the caller has it.
      this.#advancing.add(of);
      parts.part(this.#accepted.shown(outcome.outputs), () => {
        held.untaken--;
        if (of.head === held && of.current === undefined) this.#advance(of);
      });
      this.#advancing.delete(of);
    }
    if (of.phase.state !== 'over') this.#advance(of);
    this.#endDrain();
    this.#arm();
  }

  /** What an outcome means for the sequence. */
  #after(held: HeldRequest, outcome: MemberOutcome): void {
    const { of } = held;
    if (outcome.kind === 'failed') {
      const { reason } = outcome.error;
      if (reason === 'CLIENT_CANCELLED') {
        this.#break(of, refusals.cancelledBefore(of.id));
        return;
      }
      // The instance runs nothing until it has a lane again; by then the others of it are told.
      if (reason === 'EXECUTOR_LOST' && this.#plan.states.length === 0) this.#lost.add(of.slot?.instance ?? 0);
      if (held.start) {
        this.#cut(held, undefined, [...of.waiting]);
        return;
      }
    }
    if (held.last && of.waiting.size === 0) this.#leave(of, 'ended');
    else {
      if (held.last) this.#figures.left.ended++;
      this.#advance(of);
    }
  }

  /**
   * A request that begins a sequence failed: what came after it fails too, up to the next that begins one. `before`: the one
   * it came after, where that is not answered yet; `after`: what waited behind it.
   */
  #cut({ of }: HeldRequest, before: HeldRequest | undefined, after: readonly HeldRequest[]): void {
    const next = after.findIndex(({ start }) => start);
    const orphans = next < 0 ? after : after.slice(0, next);
    for (const orphan of orphans) this.#turns.leave(orphan);
    if (next >= 0) {
      this.#figures.left.broken++;
      if (of.phase.state === 'busy') this.#advance(of);
    } else {
      of.open = false;
      if (before === undefined) this.#leave(of, 'broken');
      else before.last = true;
    }
    this.#failAll(orphans, () => refusals.notBegun(of.id));
  }

  /** A sequence ends before its end: what waits of it fails. */
  #break(of: LiveSequence, error: ServingError): void {
    const waiting = this.#turns.leaveAll([of]);
    this.#close(of);
    this.#failAll(waiting, () => error);
  }

  /** A sequence nothing of which waits any more takes no more requests, and is over when what runs is answered. */
  #close(of: LiveSequence): void {
    of.open = false;
    if (of.current === undefined) this.#leave(of, 'broken');
    else of.current.last = true;
  }

  /** A sequence is over. */
  #leave(of: LiveSequence, how: SequenceEnd): void {
    if (this.#population.leave(of, how)) this.#fillSlots();
  }

  #failAll(requests: readonly HeldRequest[], error: () => ServingError): void {
    for (const held of requests) this.#accepted.answer(held, { kind: 'failed', error: error(), execution: 0 });
    this.#endDrain();
  }

  #queueOf({ slot }: LiveSequence): VersionQueue {
    return this.#queues[slot?.instance as number] as VersionQueue;
  }

  /** What is due: lost instances, deadlines, idle sequences, the end of a drain. */
  #expire(): void {
    const nowNs = this.#clock.nowNs();
    this.#tellLost();
    if (nowNs >= this.#drainUntilNs) this.#giveUp();
    for (let held = this.#turns.first; held !== undefined && held.dueNs <= nowNs; held = this.#turns.first) {
      this.#late(held, nowNs);
    }
    // What the end of one leads to may wake the next.
    for (const of of this.#population.expired(nowNs)) if (of.phase.state === 'idle') this.#leave(of, 'expired');
    this.#arm();
  }

  #late(held: HeldRequest, nowNs: number): void {
    const { of, item } = held;
    const waiting = [...of.waiting];
    const at = waiting.indexOf(held);
    const before = at === 0 ? of.current : waiting[at - 1];
    this.#turns.leave(held);
    if (held.start) this.#cut(held, before, waiting.slice(at + 1));
    else if (before !== undefined) before.last ||= held.last;
    else if (held.last && of.waiting.size === 0) this.#close(of);
    else this.#advance(of);
    const waitedNs = nowNs - item.enqueuedNs;
    const error =
      held.runs > 0 ? refusals.deadlineBetween(held.runs, waitedNs) : refusals.deadlinePassed(of.id, waitedNs);
    this.#failAll([held], () => error);
  }

  /** Sequences whose state was lost with their instance end, and say so. */
  #tellLost(): void {
    for (const instance of this.#lost) {
      this.#lost.delete(instance);
      for (const of of this.#population.all()) {
        if (of.slot?.instance !== instance || !of.begun) continue;
        const error = refusals.stateLost(of.id);
        const { current } = of;
        this.#break(of, error);
        if (current === undefined) continue;
        current.verdict = error;
        this.#queues[instance]?.cancel(current);
      }
    }
  }

  /** The drain took too long: whoever still waits is told so. */
  #giveUp(): void {
    this.#drainUntilNs = Number.POSITIVE_INFINITY;
    const waiting = this.#turns.leaveAll(this.#population.all());
    for (const of of this.#population.all()) this.#close(of);
    this.#failAll(waiting, () => refusals.cutOff(this.#spec));
    // Never rejects; what it settles ends the drain.
    for (const queue of this.#queues) void queue.drain(0);
  }

  #endDrain(): void {
    if (this.#draining === undefined || this.#accepted.count > 0) return;
    const waiting = this.#draining.splice(0);
    if (waiting.length === 0) return;
    this.#drainUntilNs = Number.POSITIVE_INFINITY;
    for (const of of this.#population.all()) this.#leave(of, 'broken');
    this.#wakeUp.clear();
    void Promise.all(this.#queues.map((queue) => queue.drain(0))).then(() => {
      for (const resolve of waiting) resolve();
    });
  }

  #arm(): void {
    const lostNs = this.#lost.size > 0 ? this.#clock.nowNs() : Number.POSITIVE_INFINITY;
    const dueNs = this.#turns.first?.dueNs ?? Number.POSITIVE_INFINITY;
    this.#wakeUp.atLatest(Math.min(dueNs, this.#population.idleUntilNs, lostNs, this.#drainUntilNs));
  }
}
