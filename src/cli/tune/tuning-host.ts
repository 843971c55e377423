import {
  type BatchMember,
  type Clock,
  type HostedVersion,
  type Log,
  type ModelSpec,
  type OpenedModel,
  type ProbeAnswer,
  ServingError,
  type VersionHost,
  type VersionPlan,
} from '../../core/index.js';
import { createExecutor, Devices, type LaneExecutor } from '../../serving/executor/index.js';

/** Hosts versions to be measured: lanes and executor, but no queue and nobody who could ask them for anything. */
export class TuningHost implements VersionHost {
  readonly clock: Clock;
  readonly #log: Log;
  readonly #devices: Devices;
  /** The version that was opened last. */
  last: TunedVersion | undefined;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.clock = clock;
    this.#log = log;
    this.#devices = new Devices({ clock, log });
  }

  async start(opened: OpenedModel, plan: VersionPlan): Promise<HostedVersion> {
    if (plan.sequences !== undefined) {
      throw new ServingError(
        'UNSUPPORTED',
        'a model with sequence_batching cannot be tuned: its batches are what sequences ask for',
      );
    }
    const { clock } = this;
    const executor = await createExecutor({ opened, plan, clock, log: this.#log, devices: this.#devices });
    this.last = new TunedVersion(opened, plan, executor);
    return this.last;
  }

  async publish(): Promise<void> {}

  stop(): void {
    this.#devices.stop();
  }
}

/** A version that serves nobody. */
export class TunedVersion implements HostedVersion {
  readonly opened: OpenedModel;
  readonly plan: VersionPlan;
  readonly executor: LaneExecutor;
  onImpaired: (impaired: boolean, why: string) => void = () => {};
  /** What it was warmed with first. */
  sample: BatchMember | undefined;

  constructor(opened: OpenedModel, plan: VersionPlan, executor: LaneExecutor) {
    this.opened = opened;
    this.plan = plan;
    this.executor = executor;
  }

  get spec(): ModelSpec {
    return this.plan.spec;
  }

  async warm(sample: BatchMember): Promise<void> {
    this.sample ??= sample;
    await this.executor.warm(sample);
  }

  async learn(): Promise<void> {}

  /** Only gates probe, and a version that is measured passes none. */
  async probe(): Promise<ProbeAnswer> {
    throw new ServingError('UNSUPPORTED', 'a version that is being measured answers nobody');
  }

  async drain(): Promise<void> {}

  stop(): Promise<void> {
    return this.executor.stop();
  }

  laneStates(): Readonly<Record<string, number>> {
    return this.executor.laneStates();
  }
}
