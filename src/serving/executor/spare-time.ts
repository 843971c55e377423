import type { Batch, BatchHandle, BatchOutcome, Executor } from '../../core/index.js';

/** One executor as two: what callers wait for, and what may run in between. */
export interface SharedExecutor {
  /** The executor itself, but for the slots that it takes back from the other. */
  readonly foreground: Executor;
  /** One execution at once, in spare time. */
  readonly background: Executor;
  /** Requests of the foreground that wait for a slot; told when they are known. */
  waiting: () => number;
  /** Its slots count no more. */
  leave(): void;
}

/**
 * What runs in the spare time of devices: while less than half of a device's instances are busy (with one or two: while none is),
 * no request waits for any of them, and nothing else of the kind runs there. What is begun there ends early where a request
 * waits, or takes the last of that time.
 */
export class SpareTime {
  readonly #devices = new Map<string, SharedDevice>();

  /** `devices`: those of its instances, by name. Takes over its `onSlotFree`. */
  share(executor: Executor, devices: readonly string[]): SharedExecutor {
    return new Shared(
      executor,
      devices.map((name) => this.#device(name)),
    );
  }

  #device(name: string): SharedDevice {
    let device = this.#devices.get(name);
    if (device === undefined) {
      device = new SharedDevice();
      this.#devices.set(name, device);
    }
    return device;
  }
}

/** A device and the versions that have instances on it. */
class SharedDevice {
  readonly parties = new Set<Shared>();
  #busy = 0;
  /** What runs in its spare time. */
  background: Shared | undefined;

  /** Whether something may begin. */
  get spare(): boolean {
    if (this.background !== undefined || this.#worked) return false;
    for (const party of this.parties) if (party.waiting() > 0) return false;
    return true;
  }

  begin(): void {
    this.#busy++;
    if (this.background !== undefined && this.#worked) this.background.stop();
  }

  end(): void {
    this.#busy--;
  }

  /** Half of the instances are busy, or more. */
  get #worked(): boolean {
    if (this.#busy === 0) return false;
    let slots = 0;
    for (const party of this.parties) slots += party.slots();
    return this.#busy >= slots / 2;
  }

  /** Something ended: what waits for spare time may find it now. */
  offer(): void {
    for (const party of this.parties) if (party.wants) party.offer();
  }
}

class Shared implements SharedExecutor {
  readonly foreground: Executor;
  readonly background: Executor;
  waiting: () => number = () => 0;
  /** The background has something to run. */
  wants = false;
  readonly #executor: Executor;
  readonly #devices: readonly SharedDevice[];
  #running: BatchHandle | undefined;
  #stopping = false;

  constructor(executor: Executor, devices: readonly SharedDevice[]) {
    this.#executor = executor;
    this.#devices = devices;
    for (const device of devices) device.parties.add(this);
    this.foreground = {
      onSlotFree: () => {},
      freeSlots: () => this.#foregroundSlots(),
      slots: () => executor.slots(),
      nextDevice: () => executor.nextDevice?.(),
      execute: (batch, settle) => this.#foregroundRun(batch, settle),
    };
    this.background = {
      onSlotFree: () => {},
      freeSlots: () => this.#backgroundSlots(),
      slots: () => Math.min(executor.slots(), 1),
      nextDevice: () => executor.nextDevice?.(),
      execute: (batch, settle) => this.#backgroundRun(batch, settle),
    };
    executor.onSlotFree = () => {
      this.foreground.onSlotFree();
      if (this.wants) this.offer();
    };
  }

  slots(): number {
    return this.#executor.slots();
  }

  offer(): void {
    // It asks again if there is no slot for it yet.
    this.wants = false;
    this.background.onSlotFree();
  }

  /** Ends what runs in spare time: it is settled soon. */
  stop(): void {
    if (this.#running === undefined || this.#stopping) return;
    this.#stopping = true;
    this.#running.cancel();
  }

  leave(): void {
    for (const device of this.#devices) device.parties.delete(this);
    for (const device of this.#devices) device.offer();
  }

  #foregroundSlots(): number {
    const free = this.#executor.freeSlots();
    if (free > 0) return free;
    // Asked by who has something to run. What is in its way may be a slot, or what instances share.
    let inTheWay = false;
    for (let i = 0; i < this.#devices.length; i++) {
      const { background } = this.#devices[i] as SharedDevice;
      if (background === undefined) continue;
      inTheWay = true;
      background.stop();
    }
    return inTheWay ? this.#executor.freeSlots() : 0;
  }

  #foregroundRun(batch: Batch, settle: (outcome: BatchOutcome) => void): BatchHandle {
    const handle = this.#executor.execute(batch, (outcome) => {
      settle(outcome);
      for (const device of this.#devices) device.end();
      for (const device of this.#devices) device.offer();
    });
    for (const device of this.#devices) device.begin();
    return handle;
  }

  #backgroundSlots(): number {
    this.wants = true;
    if (this.#running !== undefined || this.#devices.some((device) => !device.spare)) return 0;
    return Math.min(this.#executor.freeSlots(), 1);
  }

  #backgroundRun(batch: Batch, settle: (outcome: BatchOutcome) => void): BatchHandle {
    this.#stopping = false;
    const handle = this.#executor.execute(batch, (outcome) => {
      this.#running = undefined;
      for (const device of this.#devices) device.background = undefined;
      settle(outcome);
      for (const device of this.#devices) device.offer();
    });
    this.#running = handle;
    for (const device of this.#devices) device.background = this;
    return handle;
  }
}
