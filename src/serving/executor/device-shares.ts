import type { Clock, DeviceKind, InstanceGroup } from '../../core/index.js';
import { type Charge, DeviceTurns, type Party } from './device-turns.js';
import type { Ration } from './ration.js';

/** How a device is shared between models: executions at once on one device of a kind; 0 = not limited. */
export type PlacesOf = (device: DeviceKind) => number;

/** A model on a device, over all its instances there. */
interface Sharer extends Party {
  readonly offer: () => void;
  instances: number;
}

/**
 * The devices of the process, each with so many executions at once, which models take in turns by their weights. Where fewer
 * want to run than there are places, nothing is held back.
 */
export class DeviceShares {
  readonly #clock: Clock;
  readonly #placesOf: PlacesOf;
  readonly #devices = new Map<string, SharedDevice>();

  constructor(clock: Clock, placesOf: PlacesOf) {
    this.#clock = clock;
    this.#placesOf = placesOf;
  }

  /**
   * The part of one instance of a model version; `offer` is called when it may be able to run. One `sharer` object for all
   * instances that share a weight. Undefined: the device is not limited.
   */
  join({ device, deviceId }: InstanceGroup, sharer: object, weight: number, offer: () => void): Ration | undefined {
    const places = this.#placesOf(device);
    if (places === 0) return undefined;
    const name = `${device}:${deviceId}`;
    let shared = this.#devices.get(name);
    if (shared === undefined) {
      shared = new SharedDevice(this.#clock, places);
      this.#devices.set(name, shared);
    }
    return shared.join(sharer, weight, offer);
  }
}

class SharedDevice {
  readonly #clock: Clock;
  readonly #turns: DeviceTurns;
  readonly #sharers = new Map<object, Sharer>();
  #offering = false;

  constructor(clock: Clock, places: number) {
    this.#clock = clock;
    this.#turns = new DeviceTurns(places);
  }

  join(key: object, weight: number, offer: () => void): Ration {
    const sharer: Sharer = this.#sharers.get(key) ?? { ...this.#turns.join(weight), offer, instances: 0 };
    sharer.instances++;
    this.#sharers.set(key, sharer);
    return new SharedPlace(
      this.#clock,
      this.#turns,
      sharer,
      () => this.#offer(),
      () => this.#leave(key, sharer),
    );
  }

  /** What came free goes to those that want it, in their turns. */
  #offer(): void {
    if (this.#offering) return;
    this.#offering = true;
    try {
      while (this.#turns.open) {
        const next = this.#turns.next(this.#sharers.values());
        if (next === undefined) return;
        // It asks again if it has more to run than it gets.
        next.wants = false;
        next.offer();
      }
    } finally {
      this.#offering = false;
    }
  }

  #leave(key: object, sharer: Sharer): void {
    if (--sharer.instances === 0) this.#sharers.delete(key);
  }
}

/** An instance's part: a place while it runs. */
class SharedPlace implements Ration {
  readonly #clock: Clock;
  readonly #turns: DeviceTurns;
  readonly #sharer: Sharer;
  readonly #offer: () => void;
  readonly #left: () => void;
  #charge: Charge | undefined;
  #sinceNs = 0;

  constructor(clock: Clock, turns: DeviceTurns, sharer: Sharer, offer: () => void, left: () => void) {
    this.#clock = clock;
    this.#turns = turns;
    this.#sharer = sharer;
    this.#offer = offer;
    this.#left = left;
  }

  get open(): boolean {
    if (this.#turns.open) return true;
    this.#sharer.wants = true;
    return false;
  }

  take(): void {
    this.#charge = this.#turns.take(this.#sharer);
    this.#sinceNs = this.#clock.nowNs();
  }

  give(): void {
    if (this.#charge === undefined) return;
    this.#turns.give(this.#charge, this.#clock.nowNs() - this.#sinceNs);
    this.#charge = undefined;
    // It could not ask while it ran, and may be next again.
    this.#sharer.wants = true;
    this.#offer();
  }

  leave(): void {
    this.#sharer.wants = false;
    if (this.#charge !== undefined) {
      this.#turns.give(this.#charge, this.#clock.nowNs() - this.#sinceNs);
      this.#charge = undefined;
    }
    this.#left();
    this.#offer();
  }
}
