import type { DeviceMeter } from '../../core/index.js';
import type { DevicePrice } from './price-table.js';

/** Where a device's time went until some instant, in nanoseconds. */
export interface DeviceTimes {
  readonly elapsedNs: number;
  /** Nothing ran. */
  readonly idleNs: number;
  /** So far, of executions that have not ended. */
  readonly runningNs: number;
}

/**
 * A device's time, shared exactly by whatever runs on it: a virtual clock that runs at 1/n while n executions do. What an
 * execution was given is the virtual time between its start and its end, so that the shares of all add up to the time in
 * which anything ran. An addition for each start and end, however many overlap.
 */
export class DeviceClock implements DeviceMeter {
  readonly name: string;
  readonly index: number;
  readonly price: DevicePrice;
  readonly pricePerNs: number | undefined;
  readonly #startNs: number;
  /** Instant up to which everything is counted. */
  #lastNs: number;
  #idleNs = 0;
  #running = 0;
  /** Integral of 1/n since the device last began to work. */
  #virtualNs = 0;
  /** Sum of the virtual instants at which those that run began. */
  #begunNs = 0;

  /** `startNs`: from when on its time is counted. */
  constructor(name: string, index: number, price: DevicePrice, startNs: number) {
    this.name = name;
    this.index = index;
    this.price = price;
    this.pricePerNs = price.kind === 'none' ? undefined : price.perHour / 3600e9;
    this.#startNs = startNs;
    this.#lastNs = startNs;
  }

  begin(nowNs: number): number {
    this.#advance(nowNs);
    this.#running++;
    this.#begunNs += this.#virtualNs;
    return this.#virtualNs;
  }

  end(begun: number, nowNs: number): number {
    this.#advance(nowNs);
    const shareNs = this.#virtualNs - begun;
    this.#running--;
    this.#begunNs -= begun;
    if (this.#running === 0) {
      // Small numbers stay exact, however long the process lives.
      this.#virtualNs = 0;
      this.#begunNs = 0;
    }
    return shareNs;
  }

  /** What is known at `nowNs`; counts nothing, as an end may still be told of that lies before. */
  timesAt(nowNs: number): DeviceTimes {
    const sinceNs = Math.max(nowNs - this.#lastNs, 0);
    const elapsedNs = this.#lastNs + sinceNs - this.#startNs;
    if (this.#running === 0) return { elapsedNs, idleNs: this.#idleNs + sinceNs, runningNs: 0 };
    return {
      elapsedNs,
      idleNs: this.#idleNs,
      // n shares of 1/n each since the last change are the whole of it.
      runningNs: this.#running * this.#virtualNs - this.#begunNs + sinceNs,
    };
  }

  #advance(nowNs: number): void {
    const ns = nowNs - this.#lastNs;
    if (!(ns > 0)) return;
    this.#lastNs = nowNs;
    if (this.#running === 0) this.#idleNs += ns;
    else this.#virtualNs += ns / this.#running;
  }
}
