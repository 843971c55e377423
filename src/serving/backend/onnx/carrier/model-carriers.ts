import type { CarrierUse, Clock, Log, ModelVersionId } from '../../../../core/index.js';
import type { OrtLibrary } from '../library.js';
import { CarrierChoice, type CarrierSetting } from './choose-carrier.js';
import { InstanceCarriers } from './instance-carriers.js';

export interface ModelCarriersOptions {
  readonly library: OrtLibrary;
  readonly setting: CarrierSetting;
  /** Threads that work for a run; 1 = only the one that calls it. */
  readonly intraOpThreads: number;
  readonly denormalsOff: boolean;
  readonly id: ModelVersionId;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * What carries the runs of one version: a choice for each device (runs on it take the same time, whichever instance they
 * are for), and carriers for each instance.
 */
export class ModelCarriers {
  readonly #options: ModelCarriersOptions;
  readonly #choices = new Map<string, CarrierChoice>();
  readonly #instances = new Map<number, InstanceCarriers>();

  constructor(options: ModelCarriersOptions) {
    this.#options = options;
  }

  /** Of an instance on a device (`cpu:0`). */
  of(instance: number, device: string): InstanceCarriers {
    let carriers = this.#instances.get(instance);
    if (carriers === undefined) {
      const onGpu = device.startsWith('cuda');
      carriers = new InstanceCarriers({ ...this.#options, choice: this.#choiceOf(device), onGpu });
      this.#instances.set(instance, carriers);
    }
    return carriers;
  }

  /** How runs are carried now, and why. */
  uses(): CarrierUse[] {
    return [...this.#choices].map(([device, { state }]) => ({ device, ...state }));
  }

  /** Ends the threads; the lanes are closed before. */
  async close(): Promise<void> {
    await Promise.all([...this.#instances.values()].map((carriers) => carriers.close()));
  }

  #choiceOf(device: string): CarrierChoice {
    const known = this.#choices.get(device);
    if (known !== undefined) return known;
    const { setting, intraOpThreads, id, log } = this.#options;
    // What other threads or a device do for a run is not seen in the time of the thread that asks for it.
    const choice = new CarrierChoice(setting, intraOpThreads === 1 && device.startsWith('cpu'));
    choice.onChange = (from) => {
      const { carrier, why, runUs } = choice.state;
      log.info('runs are carried in another way', { ...id, device, from, to: carrier, why, runUs });
    };
    this.#choices.set(device, choice);
    return choice;
  }
}
