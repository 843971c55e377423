import type { ServerConfig } from '../config/index.js';
import {
  type BatchMember,
  type BesideModel,
  type Clock,
  type HostedVersion,
  type Log,
  type MetricsSink,
  type ModelRoutes,
  type ModelSpec,
  type OpenedModel,
  type ProbeAnswer,
  type QueueOutlook,
  type SchedulerReport,
  type SchedulerSource,
  type SequencePlan,
  type SequencesReport,
  ServingError,
  type Slo,
  type Tensor,
  type TrafficSource,
  type VersionHost,
  type VersionPlan,
  whyUncopied,
} from '../core/index.js';
import type { CostLedger } from '../insight/index.js';
import type { RequestQueue, VersionQueue } from '../serving/batcher/index.js';
import { type Dataplane, ServedVersion } from '../serving/dataplane/index.js';
import {
  createExecutor,
  type DeviceShares,
  type Devices,
  type LaneExecutor,
  type ResourcePool,
  type SpareTime,
} from '../serving/executor/index.js';
import type { IngressThreads } from '../serving/ingress/index.js';
import { executedSpec, warmMember } from '../serving/sequencer/index.js';
import { batcherOf, decoupledBatcher } from './batcher-of.js';
import { Ensembles } from './ensembles.js';
import type { HostedEnsemble } from './hosted-ensemble.js';
import type { Reuse } from './reuse.js';
import { sequencerOf } from './sequencer-of.js';
import { shadowBatcher } from './shadow-batcher.js';
import type { ServingModel } from './traffic.js';
import { VersionCosts } from './version-costs.js';
import { FiguresOncePublished, VersionProbe } from './version-probe.js';

export interface HostingOptions {
  readonly dataplane: Dataplane;
  readonly metrics: MetricsSink;
  readonly clock: Clock;
  readonly log: Log;
  /** Shared by all versions: what fails under one is out of use for all. */
  readonly devices: Devices;
  /** What the instances of all versions share; undefined = they are not limited. */
  readonly resources: ResourcePool | undefined;
  /** Devices that all versions share by weight; undefined = each runs when it can. */
  readonly shares: DeviceShares | undefined;
  /** Bound of a version's queue where its config names none, in requests. */
  readonly maxQueueSize: number;
  /** How batches of models with an SLO are scheduled. */
  readonly policy: ServerConfig['schedulingPolicy'];
  /** Threads that take requests too, or instead; undefined = none. */
  readonly ingress: IngressThreads | undefined;
  /** Asked how requests find the versions at each publication, and told of the routes file before. */
  readonly traffic: TrafficSource & { filed(model: string, routes: ModelRoutes | undefined): void };
  /** Told of the plan beside a model before a publication, and of the publication after. */
  readonly rollouts: {
    filed(model: string, plan: BesideModel['rollout']): void;
    published(model: string): void;
  };
  /** What is learned of the time of executions lasts from one start to the next. */
  readonly keepCosts: boolean;
  /** Told of the SLOs beside a model. */
  readonly slos: { filed(model: string, slos: readonly Slo[]): void };
  /** Told of each version that is going to take requests, before it does. */
  readonly serves: (spec: ModelSpec) => void;
  /** Where executions are booked; undefined = nowhere. */
  readonly ledger: CostLedger | undefined;
  /** When devices have time for copies of requests. */
  readonly spareTime: SpareTime;
  /** Answers that are used again. */
  readonly reuse: Reuse;
  /** Most bytes that are kept for copies of requests. */
  readonly maxCopiedBytes: number;
  /** Bounds of ensembles. */
  readonly ensembles: ServerConfig['ensembles'];
}

/** Joins executor, batcher and figures to a version that `models` opened, and puts it on the data path. */
export class Hosting implements VersionHost, SchedulerSource {
  readonly #options: HostingOptions;
  readonly #published = new Map<string, readonly (Hosted | HostedEnsemble)[]>();
  readonly #ensembles: Ensembles;

  constructor(options: HostingOptions) {
    this.#options = options;
    const { dataplane, clock, ingress, ensembles, maxCopiedBytes, reuse } = options;
    this.#ensembles = new Ensembles({
      ...ensembles,
      maxCopiedBytes,
      clock,
      ingress,
      reuse,
      send: (request, reply) => dataplane.infer(request, reply),
      copy: (request, reply) => dataplane.copy(request, reply),
      specOf: (model, version) => this.#specOf(model, version),
    });
  }

  async start(opened: OpenedModel, plan: VersionPlan): Promise<HostedVersion> {
    const { steps } = plan;
    if (steps === undefined) return this.#startLanes(opened, plan);
    return this.#ensembles.start({ ...plan, steps }, this.#options.metrics.version(plan.spec.id));
  }

  async #startLanes(opened: OpenedModel, plan: VersionPlan): Promise<Hosted> {
    const { clock, log, devices, resources, shares, metrics, maxQueueSize } = this.#options;
    const { ledger } = this.#options;
    const meter = ledger?.meter(plan.spec.id);
    const executed = plan.sequences === undefined ? plan : { ...plan, spec: executedSpec(plan.spec, plan.sequences) };
    const executor = await createExecutor({ opened, plan: executed, clock, log, devices, resources, shares, meter });
    const left = ledger?.resident(plan.spec.id, executor.devices, plan.modelBytes ?? 0);
    const figures = metrics.version(plan.spec.id);
    const kept = this.#options.keepCosts ? opened.kept : undefined;
    const costs = new VersionCosts({ plan: executed, kept, clock, log });
    const { spec, sequences } = plan;
    const { policy, ingress, spareTime } = this.#options;
    const counted = new FiguresOncePublished(figures);
    const [device] = executor.devices;
    const parts = { spec, device, clock, metrics: counted, maxQueueSize, meter, costs: costs.model };
    const lanes = () => this.#ensembles.look(spec.id.model);
    const hosted = { executor, costs, ingress, counted, left, sequences, lanes };
    if (sequences !== undefined) {
      const { queue, leave } = sequencerOf({ ...parts, plan: sequences, policy, executor, spareTime });
      const served = new ServedVersion(spec, queue, figures);
      return new Hosted({
        ...hosted,
        forget: () => {},
        served,
        queue,
        shadows: undefined,
        leave,
        probed: queue.apart,
        clock,
      });
    }
    const shared = spareTime.share(executor, executor.devices);
    const queued = { ...parts, executor: shared.foreground };
    const queue = spec.decoupled ? decoupledBatcher(queued) : batcherOf(policy, queued);
    shared.waiting = () => queue.depth;
    const shadows = shadowBatcher(spec, shared.background, clock, meter);
    const { queue: asked, forget } = this.#options.reuse.queueOf(plan, queue, figures);
    const served = new ServedVersion(spec, asked, figures, shadows);
    return new Hosted({ ...hosted, forget, served, queue, shadows, leave: () => shared.leave(), probed: queue, clock });
  }

  async publish(model: string, versions: readonly HostedVersion[], beside?: BesideModel): Promise<void> {
    const hosted = versions as readonly (Hosted | HostedEnsemble)[];
    this.#options.traffic.filed(model, beside?.routes);
    this.#options.rollouts.filed(model, beside?.rollout);
    // A model that does not serve any more still has to: its SLOs stay.
    if (hosted.length > 0) this.#options.slos.filed(model, beside?.slos ?? []);
    if (hosted.length === 0) this.#published.delete(model);
    else this.#published.set(model, hosted);
    for (const { counted, spec } of hosted) {
      counted.published = true;
      this.#options.serves(spec);
    }
    const routed = this.#route(model, hosted);
    this.#ensembles.published(model, hosted);
    this.#options.rollouts.published(model);
    await routed;
  }

  /**
   * Its traffic is another one: asks for it and publishes the same versions anew. In force on this thread when it returns, on
   * every thread that takes requests when its promise resolves; without effect where nothing of the model serves.
   */
  async changed(model: string): Promise<void> {
    const hosted = this.#published.get(model);
    if (hosted !== undefined) await this.#route(model, hosted);
  }

  /** What serves of a model; undefined: nothing does. */
  serving(model: string): ServingModel | undefined {
    const { table } = this.#options.dataplane;
    const serving = table.versions(model);
    const [first] = serving;
    if (first === undefined) return undefined;
    const versions = serving.map(({ version }) => version);
    const uncopied = (version: number) => this.#uncopied(this.#published.get(model), version);
    return { versions, table: table.numberOf(model), outputs: first.target.spec.outputs, uncopied };
  }

  /** Of a version that serves, the highest where none is named. */
  #specOf(model: string, version: number | undefined): ModelSpec | undefined {
    const specs = (this.#published.get(model) ?? []).filter(({ impaired }) => !impaired).map(({ spec }) => spec);
    if (version !== undefined) return specs.find(({ id }) => id.version === version);
    return specs.sort((a, b) => a.id.version - b.id.version).at(-1);
  }

  /** Why a version takes no copies of requests; undefined: it does. Of a model that is asked for by name, its highest. */
  #uncopied(hosted: readonly (Hosted | HostedEnsemble)[] | undefined, version?: number): string | undefined {
    const sorted = [...(hosted ?? [])].sort((a, b) => a.spec.id.version - b.spec.id.version);
    const one = version === undefined ? sorted.at(-1) : sorted.find(({ spec }) => spec.id.version === version);
    return one?.uncopied((model) => this.#uncopied(this.#published.get(model)));
  }

  async #route(model: string, hosted: readonly (Hosted | HostedEnsemble)[]): Promise<void> {
    const { dataplane, ingress, traffic } = this.#options;
    const versions = hosted.map(({ spec }) => spec.id.version).sort((a, b) => a - b);
    const served = hosted.map((version) => version.served);
    const uncopied = (version: number) => this.#uncopied(hosted, version);
    const rules = traffic.trafficOf(model, versions, { outputs: served[0]?.spec.outputs ?? [], uncopied });
    dataplane.publish(model, served, rules);
    await ingress?.publish(model, served, rules, dataplane.table.number);
  }

  scheduler(model: string, version: number): SchedulerReport | undefined {
    const hosted = this.#published.get(model)?.find(({ spec }) => spec.id.version === version);
    return hosted?.scheduler();
  }

  /** Of all versions that serve sequences. */
  sequences(): { readonly id: ModelSpec['id']; readonly report: SequencesReport }[] {
    return [...this.#published.values()].flatMap((versions) =>
      versions.flatMap((hosted) => {
        const report = hosted.sequences();
        return report === undefined ? [] : [{ id: hosted.spec.id, report }];
      }),
    );
  }

  /** The lines of all versions that serve. */
  outlooks(): QueueOutlook[] {
    return [...this.#published.values()].flatMap((versions) => versions.flatMap((hosted) => hosted.outlook() ?? []));
  }
}

interface HostedParts {
  readonly served: ServedVersion;
  readonly queue: VersionQueue;
  /** Of copies of requests; undefined: there are none. */
  readonly shadows: VersionQueue | undefined;
  readonly executor: LaneExecutor;
  /** Its instances have no part in the spare time of devices any more. */
  readonly leave: () => void;
  readonly costs: VersionCosts;
  readonly ingress: IngressThreads | undefined;
  readonly counted: FiguresOncePublished;
  /** Where requests go that the gateway makes itself. */
  readonly probed: RequestQueue;
  readonly clock: Clock;
  readonly sequences: SequencePlan | undefined;
  /** Tells the ledger that it is not loaded any more. */
  readonly left: (() => void) | undefined;
  /** All lanes were lost, or one is back. */
  readonly lanes: () => void;
  /** Gives up the answers that are kept of it. */
  readonly forget: () => void;
}

class Hosted implements HostedVersion {
  readonly served: ServedVersion;
  readonly counted: FiguresOncePublished;
  readonly #probe: VersionProbe;
  readonly #queue: VersionQueue;
  readonly #shadows: VersionQueue | undefined;
  readonly #executor: LaneExecutor;
  readonly #leave: () => void;
  readonly #costs: VersionCosts;
  readonly #ingress: IngressThreads | undefined;
  readonly #sequences: SequencePlan | undefined;
  readonly #left: (() => void) | undefined;
  readonly #lanes: () => void;
  readonly #forget: () => void;
  #impaired = false;
  #sample: BatchMember | undefined;

  constructor(parts: HostedParts) {
    this.#left = parts.left;
    this.served = parts.served;
    this.counted = parts.counted;
    this.#probe = new VersionProbe(parts.served, parts.probed, parts.clock);
    this.#queue = parts.queue;
    this.#shadows = parts.shadows;
    this.#executor = parts.executor;
    this.#leave = parts.leave;
    this.#costs = parts.costs;
    this.#ingress = parts.ingress;
    this.#sequences = parts.sequences;
    this.#lanes = parts.lanes;
    this.#forget = parts.forget;
  }

  get spec(): ModelSpec {
    return this.served.spec;
  }

  set onImpaired(listener: (impaired: boolean, why: string) => void) {
    this.#executor.onImpaired = (impaired, why) => {
      // Nothing will take what waits here; a request without a deadline must not wait for a lane that may never come.
      if (impaired) {
        const lost = new ServingError('EXECUTOR_LOST', why);
        this.#queue.failWaiting(lost);
        this.#shadows?.failWaiting(lost);
      }
      this.#impaired = impaired;
      listener(impaired, why);
      this.#lanes();
    };
  }

  /** None of its lanes can take anything. */
  get impaired(): boolean {
    return this.#impaired;
  }

  uncopied(): string | undefined {
    return whyUncopied(this.spec);
  }

  scheduler(): SchedulerReport {
    return this.#queue.report();
  }

  outlook(): QueueOutlook {
    return this.#queue.outlook();
  }

  sequences(): SequencesReport | undefined {
    return this.#queue.sequences?.();
  }

  warm(sample: BatchMember): Promise<void> {
    const batched = this.spec.maxBatchSize > 0;
    const whole = this.#sequences === undefined ? sample : warmMember(sample, this.#sequences, batched);
    this.#sample ??= whole;
    return this.#executor.warm(whole);
  }

  probe(inputs: readonly Tensor[]): Promise<ProbeAnswer> {
    return this.#probe.ask(inputs);
  }

  async learn(): Promise<void> {
    await this.#costs.begin(this.#executor, this.#sample);
    this.#sample = undefined;
  }

  async drain(timeoutMs: number): Promise<void> {
    // A thread that still routed here would have its requests refused: it is told first, and has said that it knows.
    await this.#ingress?.routed();
    // Nobody waits for copies.
    await Promise.all([this.#queue.drain(timeoutMs), this.#shadows?.drain(0)]);
  }

  async stop(): Promise<void> {
    await this.#costs.end();
    await this.#executor.stop();
    this.#leave();
    this.#forget();
    this.#left?.();
  }

  laneStates(): Readonly<Record<string, number>> {
    return this.#executor.laneStates();
  }
}
