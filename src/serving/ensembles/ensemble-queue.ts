import {
  type Clock,
  type ModelSpec,
  PlacedSet,
  type QueueMetrics,
  ServingError,
  toServingError,
  versionKey,
} from '../../core/index.js';
import type { MemberOutcome, QueueItem, RequestQueue } from '../batcher/index.js';
import type { EnsemblePlan } from './ensemble-plan.js';
import { EnsembleRun, type SendStep } from './ensemble-run.js';
import type { KeptBytes } from './kept-tensors.js';

export interface EnsembleQueueOptions {
  readonly plan: EnsemblePlan;
  readonly send: SendStep;
  /** Shared by all ensembles. */
  readonly kept: KeptBytes;
  readonly clock: Clock;
  readonly metrics: QueueMetrics;
  /** Most requests that are not answered. */
  readonly maxInFlight: number;
}

/**
 * Where requests for one version of an ensemble go in the place of a batcher. Nothing waits here: a request's first steps are
 * sent at once, and wait in the queues of their models. Every accepted item is settled exactly once.
 */
export class EnsembleQueue implements RequestQueue {
  readonly #options: EnsembleQueueOptions;
  readonly #runs = new PlacedSet<EnsembleRun>();
  #plan: EnsemblePlan;
  #unavailable: ServingError | undefined;
  #draining = false;
  #drained: (() => void) | undefined;
  #numbers = 0;

  constructor(options: EnsembleQueueOptions) {
    this.#options = options;
    this.#plan = options.plan;
  }

  get spec(): ModelSpec {
    return this.#plan.spec;
  }

  /** Requests that are not answered. */
  get inFlight(): number {
    return this.#runs.size;
  }

  /** The models were published anew and fit: requests from now on are run by this. */
  adopt(plan: EnsemblePlan): void {
    this.#plan = plan;
    this.#unavailable = undefined;
  }

  /** A model is gone, or does not fit any more: no request is taken until `adopt`. */
  refuse(why: string): void {
    this.#unavailable = new ServingError('VERSION_NOT_READY', `model '${this.spec.id.model}' is not ready (${why})`);
  }

  /** Throws QUEUE_FULL, OVERLOADED, VERSION_NOT_READY, DRAINING; then the item is not settled. */
  enqueue(item: QueueItem): void {
    const { kept, clock, metrics, maxInFlight, send } = this.#options;
    if (this.#draining)
      throw new ServingError('DRAINING', `${versionKey(this.spec.id)} takes no more requests: it is being unloaded`);
    if (this.#unavailable !== undefined) throw this.#unavailable;
    if (this.#runs.size >= maxInFlight) {
      const message = `the ensemble is full: ${this.#runs.size} requests are in flight, at most ${maxInFlight} may`;
      throw new ServingError('QUEUE_FULL', message, { retryAfterMs: 1000 });
    }
    if (kept.full) {
      const message = `no memory for intermediate tensors of ensembles: ${kept.bytes} bytes are in use`;
      throw new ServingError('OVERLOADED', message, { retryAfterMs: 1000 });
    }
    const settle = (outcome: MemberOutcome) => this.#settled(item, run, outcome);
    const run = new EnsembleRun({ plan: this.#plan, item, number: ++this.#numbers, send, kept, clock, settle });
    this.#runs.add(run);
    item.acceptedAs = run;
    metrics.setQueueDepth(this.#runs.size);
    try {
      run.begin();
    } catch (thrown) {
      // Our own mistake: what was begun ends, and nobody waits for ever.
      run.fail(toServingError(thrown));
    }
  }

  cancel(item: QueueItem): void {
    const { acceptedAs } = item;
    if (acceptedAs instanceof EnsembleRun && this.#runs.has(acceptedAs)) acceptedAs.cancel();
  }

  /** Takes no more; resolves when all are settled, `timeoutMs` past at the latest, by an error then. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true;
    await this.#emptied(timeoutMs);
    const error = new ServingError(
      'DRAINING',
      `${versionKey(this.spec.id)} was unloaded before the request was answered`,
    );
    for (const run of this.#runs.all()) run.fail(error);
  }

  /** Resolves when none is in flight, `timeoutMs` past at the latest. */
  async #emptied(timeoutMs: number): Promise<void> {
    if (this.#runs.size === 0) return;
    const { clock } = this.#options;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(clock.nowNs() + timeoutMs * 1e6, resolve);
      this.#drained = () => {
        timer.clear();
        resolve();
      };
    });
  }

  #settled(item: QueueItem, run: EnsembleRun, outcome: MemberOutcome): void {
    const { metrics } = this.#options;
    this.#runs.delete(run);
    item.acceptedAs = undefined;
    metrics.setQueueDepth(this.#runs.size);
    if (outcome.kind === 'done') {
      const { gatherNs, dispatchNs, computeNs } = outcome;
      metrics.executed(item.member.rows, gatherNs, dispatchNs + computeNs, 0, 0);
    }
    item.settle(outcome);
    if (this.#runs.size > 0) return;
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }
}
