import {
  type Batch,
  type BatchHandle,
  type BatchMember,
  type BatchOutcome,
  type BatchTiming,
  type Clock,
  type CostMeter,
  type Executor,
  type InstanceGroup,
  type Log,
  type OpenedModel,
  ServingError,
  type VersionPlan,
} from '../../core/index.js';
import type { DeviceShares } from './device-shares.js';
import { Devices } from './devices.js';
import { Instance } from './instance.js';
import { allOf } from './ration.js';
import { DEFAULT_RECOVERY, type RecoveryPolicy } from './recovery.js';
import type { ResourcePool } from './resource-pool.js';

export interface ExecutorOptions {
  readonly opened: OpenedModel;
  readonly plan: VersionPlan;
  readonly clock: Clock;
  readonly log: Log;
  readonly recovery?: RecoveryPolicy;
  /** The process's devices; by default those of this version alone. */
  readonly devices?: Devices;
  /** What instances of all versions share; by default they are not limited. */
  readonly resources?: ResourcePool | undefined;
  /** Devices that models share by weight; by default each runs when it can. */
  readonly shares?: DeviceShares | undefined;
  /** Where executions past the queue are booked, and what is left of those that were given up; absent: nowhere. */
  readonly meter?: CostMeter | undefined;
}

/**
 * Creates the lanes of a version and the executor over them. Rejects with the error of the first lane that cannot be
 * created (`MODEL_INVALID`, `UNSUPPORTED` ...), the others closed.
 */
export async function createExecutor(options: ExecutorOptions): Promise<LaneExecutor> {
  const executor = new LaneExecutor(options);
  await executor.open();
  return executor;
}

/** Warm-up runs may take longer than any later one: kernels are compiled, buffers and devices touched first. */
const WARM_LIMIT_MS = 60_000;

/** One execution that was tried: where, undefined where all instances are on one device; and from its take to its end. */
export interface Trial {
  readonly device: string | undefined;
  readonly computeNs: number;
}

/** Executes the batches of one version on its instances, each one execution at a time. */
export class LaneExecutor implements Executor {
  onSlotFree: () => void = () => {};
  /** Called when no instance serves any more (true) and when one serves again (false). Set once by the owner. */
  onImpaired: (impaired: boolean, why: string) => void = () => {};

  readonly #plan: VersionPlan;
  readonly #meter: CostMeter | undefined;
  readonly #log: Log;
  readonly #instances: readonly Instance[];
  readonly #severalDevices: boolean;
  /** Those that its instances are on. */
  readonly devices: readonly string[];
  /** Ends listening to the devices. */
  readonly #unlisten: readonly (() => void)[];
  #impaired = false;
  #stopping: Promise<void> | undefined;
  #waitsForTurnEnd = false;
  /** True while slots are offered at the end of a turn. */
  #turnEnding = false;
  readonly #onTurnEnd = () => {
    this.#waitsForTurnEnd = false;
    this.#turnEnding = true;
    this.#offer();
    this.#turnEnding = false;
  };

  constructor(options: ExecutorOptions) {
    const { opened, plan, clock, log, recovery = DEFAULT_RECOVERY, devices, resources, shares, meter } = options;
    this.#plan = plan;
    this.#meter = meter;
    this.#log = log;
    const { spec } = plan;
    const known = devices ?? new Devices({ clock, log });
    const groups = plan.instances.flatMap((group) => Array.from({ length: group.count }, () => group));
    const places = groups.map((group, index) => opened.placements?.[index] ?? group);
    const homes = places.map((place) => known.of(place));
    this.devices = [...new Set(homes.map(({ name }) => name))];
    this.#severalDevices = this.devices.length > 1;
    this.#instances = homes.map(
      (device, index) =>
        new Instance({
          index,
          subject: `model '${spec.id.model}' version ${spec.id.version}`,
          lanes: opened.lanesPerInstance,
          createLane: () => opened.createLane(spec, index),
          device,
          deviceNamed: this.#severalDevices,
          lostCosts: meter?.failed,
          ration: allOf([
            resources?.join(groups[index] as InstanceGroup, () => this.#offer()),
            shares?.join(places[index] as InstanceGroup, this, plan.deviceWeight ?? 1, () => this.#offer()),
          ]),
          recovery,
          clock,
          log,
          onFree: () => this.#offer(),
          onServing: (why) => this.#serving(why),
        }),
    );
    this.#unlisten = [...new Set(homes)].map((device) =>
      device.listen((usable, why) => {
        const here = this.#instances.filter((_, index) => homes[index] === device);
        if (usable) void this.#takeBack(here);
        else this.#takeOut(here, why);
      }),
    );
  }

  /** Creates all lanes; called once, by `createExecutor`. */
  async open(): Promise<void> {
    const opened = await Promise.allSettled(this.#instances.map((instance) => instance.open()));
    const failed = opened.find((result) => result.status === 'rejected');
    if (failed === undefined) return;
    await this.stop();
    throw failed.reason;
  }

  /**
   * Where the next run would hold this thread, slots open when the turn of the event loop ends: what else came with it is
   * gathered first, and one execution serves it all.
   */
  freeSlots(): number {
    let free = 0;
    for (const instance of this.#instances) {
      if (!instance.free) continue;
      if (!this.#turnEnding && instance.holdsThread) {
        this.#openAtTurnEnd();
        return 0;
      }
      free++;
    }
    return free;
  }

  holdsThread(): boolean {
    return this.#instances.some(({ mayHoldThread }) => mayHoldThread);
  }

  /** Each instance as an executor of its own, for queues that come back to one. Takes over `onSlotFree`. */
  apart(): Executor[] {
    const executors = this.#instances.map((instance) => this.#alone(instance));
    this.onSlotFree = () => {
      for (const executor of executors) executor.onSlotFree();
    };
    return executors;
  }

  /** Of an instance, by its index. */
  deviceOf(instance: number): string {
    return (this.#instances[instance] as Instance).device;
  }

  #alone(instance: Instance): Executor {
    return {
      onSlotFree: () => {},
      freeSlots: () => {
        if (!instance.free) return 0;
        if (this.#turnEnding || !instance.holdsThread) return 1;
        this.#openAtTurnEnd();
        return 0;
      },
      slots: () => (instance.serving ? 1 : 0),
      holdsThread: () => instance.mayHoldThread,
      nextDevice: () => (this.#severalDevices && instance.free ? instance.device : undefined),
      execute: (batch, settle) => instance.execute(batch, settle, this.#plan.maxExecutionMs),
    };
  }

  slots(): number {
    let serving = 0;
    for (const instance of this.#instances) if (instance.serving) serving++;
    return serving;
  }

  nextDevice(): string | undefined {
    return this.#severalDevices ? this.#instances.find((instance) => instance.free)?.device : undefined;
  }

  execute(batch: Batch, settle: (outcome: BatchOutcome) => void): BatchHandle {
    // The lowest free instance: under little load few instances work, and their caches stay warm.
    for (const instance of this.#instances) {
      if (instance.free) return instance.execute(batch, settle, this.#plan.maxExecutionMs);
    }
    throw new Error('no slot is free');
  }

  /**
   * Runs one execution of the sample's rows on every instance, past any queue. Rejects with the first error. Meant for a
   * version that no batcher feeds yet: an instance that is busy refuses with CONFLICT.
   */
  async warm(sample: BatchMember): Promise<void> {
    const batch: Batch = Object.freeze({ version: this.#plan.spec.id, members: [sample], rows: sample.rows });
    const limitMs = this.#plan.maxExecutionMs === 0 ? 0 : Math.max(this.#plan.maxExecutionMs, WARM_LIMIT_MS);
    const runs = await Promise.allSettled(this.#instances.map((instance) => this.#runApart(instance, batch, limitMs)));
    for (const run of runs) if (run.status === 'rejected') throw run.reason;
  }

  /**
   * Runs a batch on the first instance of each device, past any queue, side by side; how long each took, by device. Rejects
   * with the first error. For a version that no batcher feeds yet.
   */
  async tryBatch(batch: Batch): Promise<readonly Trial[]> {
    const first = this.#instances.filter(
      ({ device }, index) => this.#instances.findIndex((other) => other.device === device) === index,
    );
    return await Promise.all(
      first.map(async (instance) => {
        const { takenNs, finishedNs } = await this.#runApart(instance, batch, this.#plan.maxExecutionMs);
        return { device: this.#severalDevices ? instance.device : undefined, computeNs: finishedNs - takenNs };
      }),
    );
  }

  /** Takes no more batches, waits for the runs in flight, closes the lanes. The second call waits for the first. */
  stop(): Promise<void> {
    for (const unlisten of this.#unlisten) unlisten();
    this.#stopping ??= Promise.all(this.#instances.map((instance) => instance.stop())).then(() => {});
    return this.#stopping;
  }

  /** Number of lanes by state, e.g. `{ idle: 2 }`. */
  laneStates(): Readonly<Record<string, number>> {
    const states: Record<string, number> = {};
    for (const { lanes } of this.#instances) {
      for (const { state } of lanes) states[state] = (states[state] ?? 0) + 1;
    }
    return states;
  }

  /** One execution past the queue; when it ran. */
  #runApart(instance: Instance, batch: Batch, limitMs: number): Promise<BatchTiming> {
    return new Promise((resolve, reject) => {
      if (!instance.deviceUsable) throw new ServingError('EXECUTOR_LOST', `device ${instance.device} has failed`);
      if (!instance.idle) throw new ServingError('CONFLICT', 'a warm-up needs idle instances');
      const settle = (outcome: BatchOutcome) => {
        const { meter, deviceNs } = handle;
        if (meter !== undefined) this.#meter?.warmUp.add(meter.index, deviceNs ?? 0, 1, batch.rows, 0);
        if (outcome.kind === 'done') resolve(outcome.timing);
        else reject(outcome.error);
      };
      const handle = instance.execute(batch, settle, limitMs, false);
    });
  }

  #openAtTurnEnd(): void {
    if (this.#waitsForTurnEnd) return;
    this.#waitsForTurnEnd = true;
    setImmediate(this.#onTurnEnd);
  }

  #takeOut(instances: readonly Instance[], why: string): void {
    for (const instance of instances) instance.bench(why);
    this.#serving(why);
  }

  async #takeBack(instances: readonly Instance[]): Promise<void> {
    await Promise.all(instances.map((instance) => instance.unbench()));
    this.#serving('');
    if (this.freeSlots() > 0) this.#offer();
  }

  #offer(): void {
    try {
      this.onSlotFree();
    } catch (error) {
      this.#log.error('the listener for free slots threw', { error });
    }
  }

  #serving(why: string): void {
    if (this.#stopping !== undefined) return;
    const impaired = !this.#instances.some((instance) => instance.serving);
    if (impaired === this.#impaired) return;
    this.#impaired = impaired;
    try {
      this.onImpaired(impaired, why);
    } catch (error) {
      this.#log.error('the listener for impaired versions threw', { error });
    }
  }
}
