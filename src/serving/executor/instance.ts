import {
  type Batch,
  type BatchHandle,
  type BatchOutcome,
  type Clock,
  type ClockTimer,
  type CostAccount,
  type DeviceMeter,
  type Lane,
  type Log,
  ServingError,
  toServingError,
} from '../../core/index.js';
import type { DeviceHealth } from './device-health.js';
import { LaneSlot } from './lane-slot.js';
import type { Ration } from './ration.js';
import { decideRecovery, type RecoveryPolicy } from './recovery.js';
import { RunWatch } from './run-watch.js';

/** What an instance needs of the executor it is part of. */
export interface InstanceOptions {
  readonly index: number;
  /** For messages: `model 'm' version 1`. */
  readonly subject: string;
  readonly lanes: number;
  readonly createLane: () => Promise<Lane>;
  /** Where its lanes run. Whoever listens to it calls `bench` and `unbench`. */
  readonly device: DeviceHealth;
  /** What is left of an execution that was given up is booked here, when it ends. */
  readonly lostCosts?: CostAccount | undefined;
  /** Its executions tell where they run: the version has instances elsewhere too. */
  readonly deviceNamed?: boolean;
  /** Undefined: it needs no resource that others share. */
  readonly ration?: Ration | undefined;
  readonly recovery: RecoveryPolicy;
  readonly clock: Clock;
  readonly log: Log;
  /** The instance can take a batch where it could not before. Never called while it executes one (`execute`). */
  readonly onFree: () => void;
  /** Whether it serves may have changed. */
  readonly onServing: (why: string) => void;
}

/** One execution, from `execute` to the lane's settle; it may be settled (lost) long before the lane ends it. */
class Run implements BatchHandle {
  readonly slot: LaneSlot;
  readonly settle: (outcome: BatchOutcome) => void;
  readonly takenNs: number;
  readonly device: string | undefined;
  readonly meter: DeviceMeter | undefined;
  deviceNs = Number.NaN;
  settled = false;
  lost = false;
  ended = false;
  readonly #lane: Lane;
  #begun: number;

  constructor(
    slot: LaneSlot,
    lane: Lane,
    settle: (outcome: BatchOutcome) => void,
    takenNs: number,
    device: string | undefined,
    meter: DeviceMeter | undefined,
  ) {
    this.slot = slot;
    this.#lane = lane;
    this.settle = settle;
    this.takenNs = takenNs;
    this.device = device;
    this.meter = meter;
    this.#begun = meter === undefined ? 0 : meter.begin(takenNs);
  }

  cancel(): void {
    if (!this.ended && !this.lost) this.#lane.cancel();
  }

  /** Its time on the device ends. */
  meterEnd(nowNs: number): void {
    if (this.meter !== undefined) this.deviceNs = this.meter.end(this.#begun, nowNs);
  }

  /** What it has had is told apart from what comes. */
  meterLap(nowNs: number): void {
    if (this.meter === undefined) return;
    this.deviceNs = this.meter.end(this.#begun, nowNs);
    this.#begun = this.meter.begin(nowNs);
  }
}

/**
 * One execution at a time, over one or two lanes: while a finished lane's outputs are still read, the next batch runs on
 * the other. Replaces lanes that break; a run past its limit holds the instance until it really ends.
 */
export class Instance {
  readonly #options: InstanceOptions;
  readonly #slots: LaneSlot[];
  readonly #watch: RunWatch;
  readonly #timers = new Set<ClockTimer>();
  /** Slots quarantined because their device failed, not their lane. */
  readonly #benched = new Set<LaneSlot>();
  /** The execution that holds the instance. */
  #run: Run | undefined;
  /** Failures in a row. */
  #failures = 0;
  /** Outcomes being delivered, and restarts in progress: what `stop` waits for beside the run. */
  #pending = 0;
  #stopping = false;
  #whenQuiet: (() => void)[] = [];

  constructor(options: InstanceOptions) {
    this.#options = options;
    const { index, log, subject } = options;
    this.#slots = Array.from(
      { length: options.lanes },
      (_, lane) =>
        new LaneSlot((from, to, why) => {
          if (why !== '') log.warn('lane left service', { subject, instance: index, lane, from, to, why });
        }),
    );
    this.#watch = new RunWatch(options.clock, () => this.#lose());
  }

  /** Creates the lanes. Rejects with the error of the first that fails, the others closed. */
  async open(): Promise<void> {
    try {
      for (const slot of this.#slots) await this.#fill(slot);
      if (!this.#options.device.usable) this.bench('its device has failed');
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** True where a batch can start now. */
  get free(): boolean {
    return this.idle && this.#options.ration?.open !== false;
  }

  /** True where it could run, whether or not the resources that it shares with others are there. */
  get idle(): boolean {
    if (this.#run !== undefined || this.#stopping || !this.#options.device.open) return false;
    for (const slot of this.#slots) if (slot.open) return true;
    return false;
  }

  /** True where the next batch is likely to hold the thread that asks for it. */
  get holdsThread(): boolean {
    for (const slot of this.#slots) if (slot.open) return slot.lane?.holdsThread === true;
    return false;
  }

  /** True where any of its batches is. */
  get mayHoldThread(): boolean {
    return this.#slots.some(({ lane }) => lane?.holdsThread === true);
  }

  /** True where it takes batches, now or when the execution in flight ends. */
  get serving(): boolean {
    if (this.#stopping || this.#run?.lost === true || !this.#options.device.usable) return false;
    return this.#slots.some((slot) => slot.state === 'idle' || slot.state === 'busy');
  }

  /** Where it runs: `cuda:0`. */
  get device(): string {
    return this.#options.device.name;
  }

  get deviceUsable(): boolean {
    return this.#options.device.usable;
  }

  get lanes(): readonly LaneSlot[] {
    return this.#slots;
  }

  /** Starts one execution. `limitMs` 0 = no limit. Not `rationed`: past the shared resources. Throws where it is not free. */
  execute(batch: Batch, settle: (outcome: BatchOutcome) => void, limitMs: number, rationed = true): BatchHandle {
    const slot = (rationed ? this.free : this.idle) ? this.#slots.find((candidate) => candidate.open) : undefined;
    if (slot?.lane === undefined) throw new Error(`instance ${this.#options.index} is not free`);
    const { lane } = slot;
    const takenNs = this.#options.clock.nowNs();
    const { device, deviceNamed } = this.#options;
    const run = new Run(slot, lane, settle, takenNs, deviceNamed ? device.name : undefined, device.meter);
    slot.move('busy');
    this.#run = run;
    if (rationed) this.#options.ration?.take();
    device.started(run);
    this.#watch.watch(takenNs, limitMs);
    try {
      lane.run(batch, (outcome) => this.#finished(run, outcome));
    } catch (thrown) {
      // A lane promises not to throw. If one does, the batch still settles, and not before `execute` returned.
      queueMicrotask(() => this.#finished(run, this.#failed(run, toServingError(thrown))));
    }
    return run;
  }

  /** Its device failed: no lane takes a batch until `unbench`. The one that runs follows when its run has ended. */
  bench(why: string): void {
    for (const slot of this.#slots) if (slot.state === 'idle') this.#benchSlot(slot, why);
  }

  /** Its device may be used again. */
  async unbench(): Promise<void> {
    const group = [...this.#benched].filter((slot) => slot.state === 'quarantined');
    this.#benched.clear();
    if (group.length > 0 && !this.#stopping) await this.#restart(group);
  }

  #benchSlot(slot: LaneSlot, why: string): void {
    slot.move('failed', why);
    slot.move('quarantined');
    this.#benched.add(slot);
  }

  /** Takes no more, waits for the run in flight, closes the lanes. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#watch.stop();
    for (const timer of this.#timers) timer.clear();
    this.#timers.clear();
    for (const slot of this.#slots) {
      if (slot.state === 'idle' || slot.state === 'busy' || slot.state === 'starting') slot.move('draining');
    }
    await this.#quiet();
    this.#options.ration?.leave();
    for (const slot of this.#slots) {
      const { lane } = slot;
      slot.lane = undefined;
      try {
        await lane?.close();
      } catch (error) {
        this.#options.log.error('a lane did not close', { subject: this.#options.subject, error });
      }
      if (slot.state !== 'stopped') slot.move('stopped');
    }
  }

  /** The lane is done with `run`: offer the instance first, settle then, so that it never waits for replies. */
  #finished(run: Run, outcome: BatchOutcome): void {
    if (run.ended) {
      this.#options.log.error('a lane settled a batch twice', { subject: this.#options.subject });
      return;
    }
    run.ended = true;
    this.#run = undefined;
    run.meterEnd(outcome.timing.finishedNs);
    if (run.lost) this.#bookLost(run);
    this.#options.device.ended(run, outcome);
    if (!run.lost && run.slot.lane?.broken === false) this.#failures = 0;
    this.#pending++;
    // Whose turn it is with what came free is for the pool to say; this instance may be among them, once a lane of it can run.
    const given = this.idle;
    if (given) this.#options.ration?.give();
    const offered = this.free;
    if (offered) this.#options.onFree();
    this.#deliver(run, outcome);
    // Where no other lane could be offered, the next batch would run on this one: not before its settle has returned.
    if (offered || run.slot.lane?.broken === true) this.#release(run, offered, given);
    else queueMicrotask(() => this.#release(run, offered, given));
  }

  /** The outcome of `run` was read: its lane can be used again, or has to be replaced. */
  #release(run: Run, offered: boolean, given: boolean): void {
    this.#pending--;
    const { slot } = run;
    const broken = slot.lane?.broken === true;
    if (slot.state === 'busy') {
      if (broken) slot.move('failed', 'the lane broke during a run');
      else if (!this.#options.device.usable) this.#benchSlot(slot, 'its device has failed');
      else slot.move('idle');
    }
    if (!given) this.#options.ration?.give();
    if (this.#stopping) {
      this.#wakeQuiet();
      return;
    }
    if (broken || run.lost) this.#recover();
    if (!offered && this.free) this.#options.onFree();
    if (run.lost) this.#options.onServing('');
  }

  #bookLost({ meter, deviceNs }: Run): void {
    if (meter !== undefined) this.#options.lostCosts?.add(meter.index, deviceNs, 0, 0, 0);
  }

  #deliver(run: Run, outcome: BatchOutcome): void {
    if (run.settled) return;
    run.settled = true;
    try {
      run.settle(outcome);
    } catch (error) {
      this.#options.log.error('a settle callback threw', { subject: this.#options.subject, error });
    }
  }

  /** The run in flight is past its limit: its batch fails now, its lane is lost until it ends. */
  #lose(): void {
    const run = this.#run;
    if (run === undefined || run.lost) return;
    run.lost = true;
    const { subject, clock } = this.#options;
    const nowNs = clock.nowNs();
    run.meterLap(nowNs);
    const ranMs = Math.round((nowNs - run.takenNs) / 1e6);
    const message = `${subject}: an execution did not end within its limit (${ranMs} ms so far)`;
    if (run.slot.state === 'busy') run.slot.move('failed', message);
    run.slot.lane?.cancel();
    this.#pending++;
    this.#deliver(run, this.#failed(run, new ServingError('EXECUTOR_LOST', message)));
    this.#pending--;
    this.#options.onServing(message);
  }

  #failed(run: Run, error: ServingError): BatchOutcome {
    const finishedNs = this.#options.clock.nowNs();
    const { takenNs } = run;
    return { kind: 'failed', error, timing: { takenNs, gatheredNs: takenNs, startedNs: takenNs, finishedNs } };
  }

  /** Backs off every lane that failed or broke, all together: the lanes of an instance often share what died. */
  #recover(): void {
    if (this.#stopping) return;
    const lostSlot = this.#run?.lost === true ? this.#run.slot : undefined;
    const group = this.#slots.filter((slot) => {
      if (slot.state === 'idle' && slot.lane?.broken === true) slot.move('failed', 'the lane broke');
      return slot.state === 'failed' && slot !== lostSlot;
    });
    if (group.length === 0) return;
    this.#failures++;
    const { state, delayMs } = decideRecovery(this.#failures, this.#options.recovery);
    const why = `${this.#failures} failures in a row, next try in ${delayMs} ms`;
    for (const slot of group) slot.move(state, why);
    const { clock } = this.#options;
    const timer = clock.setTimer(clock.nowNs() + delayMs * 1e6, () => {
      this.#timers.delete(timer);
      void this.#restart(group);
    });
    this.#timers.add(timer);
    this.#options.onServing(why);
  }

  async #restart(group: readonly LaneSlot[]): Promise<void> {
    this.#pending++;
    for (const slot of group) slot.move('starting');
    let failure: unknown;
    for (const slot of group) {
      if (failure === undefined && !this.#stopping) {
        try {
          await this.#fill(slot);
          if (slot.state === 'idle' && this.#options.device.usable) this.#announce(slot);
          else if (slot.state === 'idle') this.#benchSlot(slot, 'its device has failed');
          continue;
        } catch (error) {
          failure = error;
          this.#options.log.error('a lane did not start', { subject: this.#options.subject, error });
        }
      }
      if (slot.state === 'starting') slot.move('failed', 'its instance did not start');
    }
    this.#pending--;
    if (this.#stopping) this.#wakeQuiet();
    else this.#recover();
  }

  #announce(slot: LaneSlot): void {
    this.#options.onServing('');
    if (slot.state === 'idle' && this.free) this.#options.onFree();
  }

  /** Puts a working lane into a slot that starts; it is idle then, or left as it is where `stop` came meanwhile. */
  async #fill(slot: LaneSlot): Promise<void> {
    if (slot.lane?.broken === true) {
      const { lane } = slot;
      slot.lane = undefined;
      await lane.close();
    }
    if (slot.lane === undefined) {
      const lane = await this.#options.createLane();
      lane.onBroken = () => {
        if (slot.lane === lane && slot.state === 'idle') this.#recover();
      };
      slot.lane = lane;
    }
    if (slot.state === 'starting') slot.move('idle');
  }

  #quiet(): Promise<void> {
    if (this.#isQuiet) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenQuiet.push(resolve);
    });
  }

  get #isQuiet(): boolean {
    return this.#run === undefined && this.#pending === 0;
  }

  #wakeQuiet(): void {
    if (!this.#isQuiet) return;
    const waiting = this.#whenQuiet;
    this.#whenQuiet = [];
    for (const wake of waiting) wake();
  }
}
