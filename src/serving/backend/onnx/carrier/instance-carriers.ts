import type { Clock, Log, ModelVersionId } from '../../../../core/index.js';
import type { OrtLibrary } from '../library.js';
import type { Address } from '../native-memory.js';
import type { CarrierChoice, CarrierName } from './choose-carrier.js';
import { GatedThreadCarrier } from './gated-thread-carrier.js';
import { PoolCarrier } from './pool-carrier.js';
import type { Carrier, RunCall } from './run-call.js';
import { RunThread, ThreadCarrier } from './run-thread.js';
import { SyncCarrier } from './sync-carrier.js';
import { type TurnBudget, turnBudget } from './turn-budget.js';

export interface InstanceCarriersOptions {
  readonly library: OrtLibrary;
  /** Shared by the instances of one version on one device: their runs take the same time. */
  readonly choice: CarrierChoice;
  /** Subnormal numbers count as zero in the instance's thread. */
  readonly denormalsOff: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly id: ModelVersionId;
  readonly budget?: TurnBudget;
  /** Its session is on a GPU: runs of its thread keep to the call gate, too. */
  readonly onGpu?: boolean;
}

/** Threads of this process that `auto` started and that live; past it, runs stay on the pool. */
const MOST_CHOSEN_THREADS = 32;
let chosenThreads = 0;

/**
 * What carries the runs of one instance: the pool, the thread that asks, and a thread of its own that is started when the
 * choice first falls on it and started anew when it died.
 */
export class InstanceCarriers {
  readonly #options: InstanceCarriersOptions;
  readonly #budget: TurnBudget;
  #thread: RunThread | undefined;
  /** In `auto`, a thread that ended by itself is not tried again. */
  #refused = false;
  #closing: Promise<void> | undefined;

  constructor(options: InstanceCarriersOptions) {
    this.#options = options;
    this.#budget = options.budget ?? turnBudget;
    // Asked for: its start is part of the load, not of the first run.
    if (options.choice.setting === 'thread') this.#thread = this.#start();
  }

  /** What carries the runs of one lane. */
  forLane(lane: RunCall): LaneCarrier {
    return new LaneCarrier(lane, this, this.#options);
  }

  /** What carries a run over so many input bytes now. */
  pick(bytes: number, nowNs: number): CarrierName {
    const { choice } = this.#options;
    const picked = choice.pick(bytes, nowNs);
    if (picked === 'sync' && !this.#fits(bytes))
      return choice.elsewhere === 'thread' && this.#available() ? 'thread' : 'pool';
    return picked === 'thread' && !this.#available() ? 'pool' : picked;
  }

  /** The instance's thread, started where there is none. */
  thread(): RunThread {
    if (this.#thread === undefined || this.#thread.gone) this.#thread = this.#start();
    return this.#thread;
  }

  spend(ns: number): void {
    this.#budget.spend(ns);
  }

  /** Ends the thread when its runs are done; the lanes are closed before. */
  close(): Promise<void> {
    this.#closing ??= this.#thread?.close() ?? Promise.resolve();
    return this.#closing;
  }

  #fits(bytes: number): boolean {
    const { choice } = this.#options;
    // Who asks for synchronous runs gets one a turn, however long it is.
    return this.#budget.allows(choice.expectedNs(bytes)) || (choice.setting === 'sync' && this.#budget.untouched);
  }

  /** True where a run can go to the thread now. In `auto`, one that is still starting is not waited for. */
  #available(): boolean {
    if (this.#options.choice.setting === 'thread') return true;
    if (this.#thread !== undefined && !this.#thread.gone) return this.#thread.ready;
    if (!this.#refused && this.#closing === undefined && chosenThreads < MOST_CHOSEN_THREADS)
      this.#thread = this.#start();
    return false;
  }

  #start(): RunThread {
    const { library, choice, denormalsOff, log, id } = this.#options;
    const chosen = choice.setting === 'auto';
    if (chosen) chosenThreads++;
    return new RunThread({
      libraryPath: library.path,
      name: `run ${id.model}`,
      denormalsOff,
      onEnd: (why) => {
        if (chosen) chosenThreads--;
        if (why === undefined) return;
        this.#refused = true;
        log.error('a run thread ended', { ...id, why });
      },
    });
  }
}

/** Starts each run of a lane on the carrier chosen for it, and tells the choice what it took. */
export class LaneCarrier implements RunCall {
  readonly #lane: RunCall;
  readonly #instance: InstanceCarriers;
  readonly #choice: CarrierChoice;
  readonly #clock: Clock;
  readonly #carriers: Readonly<Record<CarrierName, Carrier>>;
  #name: CarrierName = 'pool';
  #bytes = 0;

  constructor(lane: RunCall, instance: InstanceCarriers, { library, choice, clock, onGpu }: InstanceCarriersOptions) {
    this.#lane = lane;
    this.#instance = instance;
    this.#choice = choice;
    this.#clock = clock;
    this.#carriers = {
      pool: new PoolCarrier(this, library.api.Run),
      thread: new (onGpu === true ? GatedThreadCarrier : ThreadCarrier)(this, () => instance.thread()),
      sync: new SyncCarrier(this, library.api.Run),
    };
  }

  /** Starts a run over so many input bytes. Throws `OVERLOADED`. */
  start(bytes: number): void {
    this.#bytes = bytes;
    this.#name = this.#instance.pick(bytes, this.#clock.nowNs());
    this.#carriers[this.#name].start();
  }

  /** Takes back a run that waits. False where it began already. */
  withdraw(): boolean {
    return this.#carriers[this.#name].withdraw();
  }

  /** True where the run that began can be told to stop. */
  get stoppable(): boolean {
    return this.#name !== 'sync';
  }

  /** True where the lane's next run is likely to hold the thread that asks. */
  get synchronous(): boolean {
    return this.#choice.synchronous;
  }

  get values(): Float64Array {
    return this.#lane.values;
  }

  begun(): void {
    this.#lane.begun();
  }

  returned(error: unknown, status: Address, computeNs: number): void {
    if (this.#name === 'sync') this.#instance.spend(computeNs);
    if (error === undefined || error === null)
      this.#choice.ran(this.#name, this.#bytes, computeNs, this.#clock.nowNs());
    this.#lane.returned(error, status, computeNs);
  }
}
