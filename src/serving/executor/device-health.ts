import {
  type BatchOutcome,
  type Clock,
  type ClockTimer,
  DEVICE_MOVES,
  type DeviceFault,
  type DeviceMeter,
  type DeviceState,
  type DeviceStatus,
  StateMachine,
} from '../../core/index.js';

/** When a device is given up, and when it is tried again. */
export interface DevicePolicy {
  /** Executions in a row that find no memory, after which it has failed; one alone is a batch too large. */
  readonly memoryFailures: number;
  /** Wait before a failed device is tried again; doubled with each failed try, up to `maxProbeMs`. */
  readonly firstProbeMs: number;
  readonly maxProbeMs: number;
}

export const DEFAULT_DEVICE_POLICY: DevicePolicy = { memoryFailures: 3, firstProbeMs: 1_000, maxProbeMs: 60_000 };

/** `usable`: it may run something now, if only one execution to try it. */
export type DeviceListener = (usable: boolean, why: string) => void;

/**
 * Whether one device works, judged by the executions that end on it. While it is `probing` one execution at a time is let
 * through: its end decides. The executors of all versions on the device listen.
 */
export class DeviceHealth {
  readonly name: string;
  /** Undefined: its time is not metered. */
  readonly meter: DeviceMeter | undefined;
  readonly #policy: DevicePolicy;
  readonly #clock: Clock;
  readonly #machine: StateMachine<DeviceState>;
  readonly #listeners = new Set<DeviceListener>();
  readonly #faults: Record<DeviceFault, number> = { memory: 0, lost: 0 };
  #timer: ClockTimer | undefined;
  #inARow = 0;
  #failedProbes = 0;
  /** The execution that tries the device, while it runs. */
  #probe: object | undefined;

  constructor(
    name: string,
    clock: Clock,
    policy: DevicePolicy,
    onMove: (from: DeviceState, to: DeviceState, why: string) => void,
    meter?: DeviceMeter,
  ) {
    this.name = name;
    this.meter = meter;
    this.#clock = clock;
    this.#policy = policy;
    this.#machine = new StateMachine<DeviceState>(DEVICE_MOVES, 'serving', onMove);
  }

  get state(): DeviceState {
    return this.#machine.state;
  }

  get status(): DeviceStatus {
    return { device: this.name, state: this.state, faults: { ...this.#faults } };
  }

  /** True where it serves, or is being tried. */
  get usable(): boolean {
    return this.state === 'serving' || this.state === 'probing';
  }

  /** True where an execution may start now. */
  get open(): boolean {
    return this.state === 'serving' || (this.state === 'probing' && this.#probe === undefined);
  }

  /** `run` starts on it. */
  started(run: object): void {
    if (this.state === 'probing') this.#probe ??= run;
  }

  /** `run` ended. Called before its outcome is read, so that nothing more starts on a device that just failed. */
  ended(run: object, outcome: BatchOutcome): void {
    const probed = this.#probe === run;
    if (probed) this.#probe = undefined;
    const fault = outcome.kind === 'failed' ? outcome.deviceFault : undefined;
    if (fault !== undefined) this.#blame(fault, outcome.kind === 'failed' ? outcome.error.message : '');
    else if (outcome.kind === 'done') {
      this.#inARow = 0;
      if (probed && this.state === 'probing') this.#recovered();
    } else if (probed && this.state === 'probing') this.#tell(true, ''); // it said nothing: the next one tries
  }

  /** Calls `listener` at each change of `usable`, and when `open` becomes true. Returns what ends it. */
  listen(listener: DeviceListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #blame(fault: DeviceFault, why: string): void {
    this.#faults[fault]++;
    if (this.state === 'lost') return;
    if (fault === 'lost') this.#fail('lost', why);
    else if (this.state === 'probing' || ++this.#inARow >= this.#policy.memoryFailures) this.#fail('failed', why);
  }

  #fail(to: 'failed' | 'lost', why: string): void {
    if (to === 'failed' && this.state === 'failed') return;
    this.stop();
    const { firstProbeMs, maxProbeMs } = this.#policy;
    if (to === 'lost') {
      this.#machine.move('lost', `${why}; restart the process to use it again`);
    } else {
      const delayMs = Math.min(maxProbeMs, firstProbeMs * 2 ** this.#failedProbes++);
      this.#machine.move('failed', `${why}; tried again in ${delayMs} ms`);
      this.#timer = this.#clock.setTimer(this.#clock.nowNs() + delayMs * 1e6, () => {
        this.#machine.move('probing');
        this.#tell(true, '');
      });
    }
    this.#tell(false, `device ${this.name} has failed: ${why}`);
  }

  #recovered(): void {
    this.#failedProbes = 0;
    this.#machine.move('serving', 'an execution ended well on it');
    this.#tell(true, '');
  }

  #tell(usable: boolean, why: string): void {
    for (const listener of this.#listeners) listener(usable, why);
  }
}
