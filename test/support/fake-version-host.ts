import type {
  BatchMember,
  HostedVersion,
  ModelSpec,
  OpenedModel,
  ProbeAnswer,
  Tensor,
  VersionHost,
  VersionPlan,
} from '../../src/core/index.js';

/** Hosts versions without lanes; keeps the order of everything that was asked of it in `events`. */
export class FakeVersionHost implements VersionHost {
  readonly events: string[] = [];
  readonly hosted: FakeHostedVersion[] = [];
  readonly published = new Map<string, readonly FakeHostedVersion[]>();
  onStart: (plan: VersionPlan) => void | Promise<void> = () => {};
  onWarm: (sample: BatchMember, version: FakeHostedVersion) => void | Promise<void> = () => {};
  onProbe: (inputs: readonly Tensor[], version: FakeHostedVersion) => ProbeAnswer | Promise<ProbeAnswer> = () => ({
    outputs: [],
    latencyNs: 0,
    computeNs: 0,
  });
  onDrain: (version: FakeHostedVersion) => void | Promise<void> = () => {};

  async start(opened: OpenedModel, plan: VersionPlan): Promise<HostedVersion> {
    await this.onStart(plan);
    const version = new FakeHostedVersion(this, opened, plan);
    this.hosted.push(version);
    this.events.push(`start ${version.label}`);
    return version;
  }

  async publish(model: string, versions: readonly HostedVersion[]): Promise<void> {
    for (const version of versions as readonly FakeHostedVersion[]) {
      if (version.drained || version.stopped) throw new Error(`${version.label} is published after its end`);
    }
    this.events.push(`publish ${model} [${versions.map((version) => version.spec.id.version).join(',')}]`);
    if (versions.length === 0) this.published.delete(model);
    else this.published.set(model, versions as readonly FakeHostedVersion[]);
  }
}

export class FakeHostedVersion implements HostedVersion {
  readonly #host: FakeVersionHost;
  readonly opened: OpenedModel;
  readonly plan: VersionPlan;
  readonly warmed: BatchMember[] = [];
  drained = false;
  stopped = false;
  onImpaired: (impaired: boolean, why: string) => void = () => {};

  constructor(host: FakeVersionHost, opened: OpenedModel, plan: VersionPlan) {
    this.#host = host;
    this.opened = opened;
    this.plan = plan;
  }

  get spec(): ModelSpec {
    return this.plan.spec;
  }

  get label(): string {
    return `${this.spec.id.model}/${this.spec.id.version}`;
  }

  async warm(sample: BatchMember): Promise<void> {
    this.#host.events.push(`warm ${this.label}`);
    this.warmed.push(sample);
    await this.#host.onWarm(sample, this);
  }

  async learn(): Promise<void> {
    if (this.warmed.length > 0) this.#host.events.push(`learn ${this.label}`);
  }

  async probe(inputs: readonly Tensor[]): Promise<ProbeAnswer> {
    return this.#host.onProbe(inputs, this);
  }

  async drain(): Promise<void> {
    if (this.drained) throw new Error(`${this.label} is drained twice`);
    this.drained = true;
    this.#host.events.push(`drain ${this.label}`);
    await this.#host.onDrain(this);
    this.#host.events.push(`drained ${this.label}`);
  }

  async stop(): Promise<void> {
    if (this.stopped) throw new Error(`${this.label} is stopped twice`);
    if ((this.opened as unknown as { closes: number }).closes > 0)
      throw new Error(`${this.label} is closed before it stops`);
    this.stopped = true;
    this.#host.events.push(`stop ${this.label}`);
  }

  laneStates(): Readonly<Record<string, number>> {
    return { idle: 1 };
  }
}
