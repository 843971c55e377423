import type {
  Clock,
  EnsembleStep,
  HostedVersion,
  ModelSpec,
  ProbeAnswer,
  Tensor,
  VersionMetrics,
  VersionPlan,
} from '../core/index.js';
import { type QueueMetrics, toServingError } from '../core/index.js';
import { ServedVersion } from '../serving/dataplane/index.js';
import {
  EnsembleQueue,
  type EnsembleQueueOptions,
  type KeptBytes,
  planEnsemble,
  type SendStep,
  type SpecOf,
} from '../serving/ensembles/index.js';
import type { IngressThreads } from '../serving/ingress/index.js';
import type { Reuse } from './reuse.js';
import { FiguresOncePublished, VersionProbe } from './version-probe.js';

export interface HostedEnsembleParts extends Omit<EnsembleQueueOptions, 'plan' | 'metrics'> {
  readonly plan: VersionPlan & { readonly steps: readonly EnsembleStep[] };
  readonly figures: VersionMetrics;
  readonly ingress: IngressThreads | undefined;
  readonly specOf: SpecOf;
  readonly clock: Clock;
  readonly reuse: Reuse;
  /** Of copies of its requests: how their steps are sent, and where what is between them is kept. */
  readonly copies: { readonly send: SendStep; readonly kept: KeptBytes };
}

/** Copies in flight of one version; what makes them has a bound of its own (`shadows.maxInFlight`), for each thread. */
const MOST_COPIES = 256;

/** Copies are counted by what becomes of them (`ReleaseFact`). */
const UNCOUNTED: QueueMetrics = { executed() {}, setQueueDepth() {} };

/** A version that is an ensemble: it has no lanes, only steps over models that serve. Throws as `planEnsemble`. */
export class HostedEnsemble implements HostedVersion {
  readonly served: ServedVersion;
  readonly counted: FiguresOncePublished;
  onImpaired: (impaired: boolean, why: string) => void = () => {};
  readonly #steps: readonly EnsembleStep[];
  readonly #queue: EnsembleQueue;
  /** Its steps run in the spare time of their models. */
  readonly #copies: EnsembleQueue;
  readonly #probe: VersionProbe;
  readonly #ingress: IngressThreads | undefined;
  readonly #forget: () => void;
  #impaired = false;

  constructor({ plan, figures, ingress, specOf, reuse, copies, ...queue }: HostedEnsembleParts) {
    const { spec, steps } = plan;
    this.#steps = steps;
    this.#ingress = ingress;
    this.counted = new FiguresOncePublished(figures);
    const planned = planEnsemble(spec, steps, specOf);
    this.#queue = new EnsembleQueue({ ...queue, plan: planned, metrics: this.counted });
    const { clock } = queue;
    this.#copies = new EnsembleQueue({
      ...copies,
      plan: planned,
      clock,
      metrics: UNCOUNTED,
      maxInFlight: MOST_COPIES,
    });
    const reused = reuse.queueOf(plan, this.#queue, figures);
    this.#forget = reused.forget;
    this.served = new ServedVersion(spec, reused.queue, figures, this.#copies);
    this.#probe = new VersionProbe(this.served, this.#queue, clock);
  }

  get spec(): ModelSpec {
    return this.served.spec;
  }

  /** Models whose publications concern it. */
  takesPart(model: string): boolean {
    return this.#steps.some((step) => step.model === model);
  }

  /** A model is missing, or does not fit. */
  get impaired(): boolean {
    return this.#impaired;
  }

  /**
   * Its models may be others: it is checked against them anew, and unready while they do not fit. True where it is ready and
   * was not, or the other way round.
   */
  look(specOf: SpecOf): boolean {
    const before = this.#impaired;
    try {
      const plan = planEnsemble(this.spec, this.#steps, specOf);
      for (const queue of [this.#queue, this.#copies]) queue.adopt(plan);
      this.#impaired = false;
      this.onImpaired(false, '');
    } catch (thrown) {
      const { message } = toServingError(thrown);
      this.#impaired = true;
      for (const queue of [this.#queue, this.#copies]) queue.refuse(message);
      this.onImpaired(true, message);
    }
    return this.#impaired !== before;
  }

  /** Nothing of it is warmed: its models are. */
  async warm(): Promise<void> {}

  async learn(): Promise<void> {}

  probe(inputs: readonly Tensor[]): Promise<ProbeAnswer> {
    return this.#probe.ask(inputs);
  }

  async drain(timeoutMs: number): Promise<void> {
    // A thread that still routed here would have its requests refused: it is told first.
    await this.#ingress?.routed();
    // Nobody waits for copies.
    await Promise.all([this.#queue.drain(timeoutMs), this.#copies.drain(0)]);
  }

  async stop(): Promise<void> {
    this.#forget();
  }

  /** `of`: why a model takes no copies of requests; a copy of the ensemble's is one for each step's. */
  uncopied(of: (model: string) => string | undefined): string | undefined {
    for (const [i, { model }] of this.#steps.entries()) {
      const why = of(model);
      if (why !== undefined) return `step ${i} (model '${model}') takes none: ${why}`;
    }
    return undefined;
  }

  laneStates(): Readonly<Record<string, number>> {
    return {};
  }

  scheduler(): undefined {
    return undefined;
  }

  outlook(): undefined {
    return undefined;
  }

  sequences(): undefined {
    return undefined;
  }
}
