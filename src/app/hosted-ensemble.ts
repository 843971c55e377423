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
import { toServingError } from '../core/index.js';
import { ServedVersion } from '../serving/dataplane/index.js';
import { EnsembleQueue, type EnsembleQueueOptions, planEnsemble, type SpecOf } from '../serving/ensembles/index.js';
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
}

/** A version that is an ensemble: it has no lanes, only steps over models that serve. Throws as `planEnsemble`. */
export class HostedEnsemble implements HostedVersion {
  readonly served: ServedVersion;
  readonly counted: FiguresOncePublished;
  onImpaired: (impaired: boolean, why: string) => void = () => {};
  readonly #steps: readonly EnsembleStep[];
  readonly #queue: EnsembleQueue;
  readonly #probe: VersionProbe;
  readonly #ingress: IngressThreads | undefined;
  readonly #forget: () => void;
  #impaired = false;

  constructor({ plan, figures, ingress, specOf, reuse, ...queue }: HostedEnsembleParts) {
    const { spec, steps } = plan;
    this.#steps = steps;
    this.#ingress = ingress;
    this.counted = new FiguresOncePublished(figures);
    this.#queue = new EnsembleQueue({ ...queue, plan: planEnsemble(spec, steps, specOf), metrics: this.counted });
    const reused = reuse.queueOf(plan, this.#queue, figures);
    this.#forget = reused.forget;
    this.served = new ServedVersion(spec, reused.queue, figures);
    this.#probe = new VersionProbe(this.served, this.#queue, queue.clock);
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
      this.#queue.adopt(planEnsemble(this.spec, this.#steps, specOf));
      this.#impaired = false;
      this.onImpaired(false, '');
    } catch (thrown) {
      const { message } = toServingError(thrown);
      this.#impaired = true;
      this.#queue.refuse(message);
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
    await this.#queue.drain(timeoutMs);
  }

  async stop(): Promise<void> {
    this.#forget();
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
