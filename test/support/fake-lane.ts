import {
  type Batch,
  type BatchOutcome,
  type Clock,
  type DeviceFault,
  type Lane,
  type ModelSpec,
  type OpenedModel,
  ServingError,
} from '../../src/core/index.js';

/** A lane whose runs end when a test says so. Refuses what an executor must never do with a lane. */
export class FakeLane implements Lane {
  readonly instance: number;
  readonly #clock: Clock;
  #broken = false;
  closed = false;
  cancels = 0;
  holdsThread = false;
  onBroken?: () => void;
  /** The run in flight. */
  run_:
    | { readonly batch: Batch; readonly settle: (outcome: BatchOutcome) => void; readonly startedNs: number }
    | undefined;
  /** True while its outputs are being read. */
  settling = false;
  #onIdle: (() => void) | undefined;

  constructor(instance: number, clock: Clock) {
    this.instance = instance;
    this.#clock = clock;
  }

  get broken(): boolean {
    return this.#broken;
  }

  get busy(): boolean {
    return this.run_ !== undefined;
  }

  run(batch: Batch, settle: (outcome: BatchOutcome) => void): void {
    if (this.closed) throw new Error('run on a closed lane');
    if (this.busy || this.settling) throw new Error('run on a lane in use');
    this.run_ = { batch, settle, startedNs: this.#clock.nowNs() };
  }

  cancel(): void {
    if (this.busy) this.cancels++;
  }

  /** Ends the run in flight well. */
  finish(): void {
    this.#end((timing) => ({ kind: 'done', outputs: [], timing }));
  }

  /** Ends the run in flight with an error; the lane stays good. */
  fail(message = 'the model failed', deviceFault?: DeviceFault): void {
    this.#end((timing) => ({
      kind: 'failed',
      error: new ServingError('BACKEND_FAILED', message),
      timing,
      ...(deviceFault === undefined ? {} : { deviceFault }),
    }));
  }

  /** The lane dies, with the run in flight if there is one; `siblings` die with it (a shared worker). */
  die(siblings: readonly FakeLane[] = []): void {
    for (const lane of [this, ...siblings]) lane.#broken = true;
    for (const lane of [this, ...siblings]) {
      if (lane.busy) {
        lane.#end((timing) => ({
          kind: 'failed',
          error: new ServingError('EXECUTOR_LOST', 'the worker died'),
          timing,
        }));
      } else lane.onBroken?.();
    }
  }

  async close(): Promise<void> {
    if (this.closed) throw new Error('closed twice');
    this.closed = true;
    if (this.busy) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
  }

  #end(outcome: (timing: BatchOutcome['timing']) => BatchOutcome): void {
    const run = this.run_;
    if (run === undefined) throw new Error('no run is in flight');
    this.run_ = undefined;
    const { startedNs } = run;
    this.settling = true;
    run.settle(outcome({ takenNs: startedNs, gatheredNs: startedNs, startedNs, finishedNs: this.#clock.nowNs() }));
    this.settling = false;
    this.#onIdle?.();
  }
}

/** An opened model whose lanes are fakes, kept in `lanes` in the order they were made. */
export class FakeModel implements OpenedModel {
  readonly signature = { inputs: [], outputs: [] };
  readonly providers = { fake: 1 };
  readonly fallback = undefined;
  readonly lanesPerInstance: number;
  readonly lanes: FakeLane[] = [];
  /** Set: the next lanes fail to start with it. */
  startError: Error | undefined;
  /** Set: the next lanes start only when it resolves. */
  startGate: Promise<void> | undefined;
  closed = false;
  readonly #clock: Clock;

  constructor(clock: Clock, lanesPerInstance = 2) {
    this.#clock = clock;
    this.lanesPerInstance = lanesPerInstance;
  }

  async createLane(_spec: ModelSpec, instance: number): Promise<Lane> {
    if (this.startGate !== undefined) await this.startGate;
    if (this.startError !== undefined) throw this.startError;
    const lane = new FakeLane(instance, this.#clock);
    this.lanes.push(lane);
    return lane;
  }

  /** Lanes that can still be used. */
  get alive(): readonly FakeLane[] {
    return this.lanes.filter((lane) => !lane.closed && !lane.broken);
  }

  get busy(): readonly FakeLane[] {
    return this.lanes.filter((lane) => lane.busy);
  }

  async close(): Promise<void> {
    if (this.lanes.some((lane) => !lane.closed)) throw new Error('a lane is still open');
    this.closed = true;
  }
}
