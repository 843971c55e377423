import {
  type Clock,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type MetricsSink,
  type ModelTraffic,
  type ReleaseFacts,
  ServingError,
  toServingError,
  type WantedTraits,
} from '../../core/index.js';
import { type RouteDecision, RoutingTable } from '../router/index.js';
import { Callers } from './callers.js';
import { InferenceCall } from './inference-call.js';
import { ReleaseWatch } from './release-watch.js';
import type { ServedVersion } from './served-version.js';
import { type ShadowLimits, Shadows } from './shadows.js';

export interface DataplaneOptions {
  readonly clock: Clock;
  readonly metrics: Pick<MetricsSink, 'refused'>;
  readonly whyAbsent: WhyAbsent;
  /** Whom requests are answered for; default: nobody is told apart. */
  readonly callers?: Callers;
  /** Told of requests that a split assigned, and of their shadows; absent: nobody wants to know, and nothing is copied. */
  readonly releases?: { readonly facts: ReleaseFacts; readonly shadows: ShadowLimits };
}

/**
 * Why a model or version that no table names cannot be used (e.g. still loading); undefined = it does not exist. A promise
 * where another thread has to be asked: the request is routed once more when it answers, as the table may have changed.
 */
export type WhyAbsent = (
  model: string,
  version: number | undefined,
) => ServingError | undefined | Promise<ServingError | undefined>;

/**
 * The single path of an inference, whatever protocol it came by: admit, route, enqueue, reply, account. It holds the
 * routing table in force; `publish` replaces it in one assignment.
 */
export class Dataplane {
  readonly #clock: Clock;
  readonly #metrics: DataplaneOptions['metrics'];
  readonly #whyAbsent: WhyAbsent;
  readonly #callers: Callers;
  readonly #watch: ReleaseWatch | undefined;
  #table: RoutingTable<ServedVersion>;

  constructor(options: DataplaneOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#whyAbsent = options.whyAbsent;
    const callers = options.callers ?? new Callers();
    this.#callers = callers;
    this.#watch = options.releases && this.#watchOver(options.releases);
    this.#table = RoutingTable.empty((request) => callers.tenantOf(request).name);
  }

  get table(): RoutingTable<ServedVersion> {
    return this.#table;
  }

  /** What a transport has to read of its callers for the table in force; undefined: nothing. */
  get wanted(): WantedTraits | undefined {
    return this.#table.wanted;
  }

  /**
   * From the next request on, exactly these versions of `model` serve, and requests find them by `traffic`; none takes it away.
   * `table`: the number of the control thread's table, on another thread. Throws as `RoutingTable.with`; then nothing changes.
   */
  publish(model: string, versions: readonly ServedVersion[], traffic?: ModelTraffic, table?: number): void {
    const entries = versions.map((served) => ({
      version: served.spec.id.version,
      target: served,
      inputs: served.spec.inputs,
    }));
    this.#table = this.#table.with(model, entries, traffic, table);
  }

  /**
   * Takes one request. Never throws. `reply` is called exactly once: at once where the request is refused, else when its
   * batch ends, its deadline passes, or it is cancelled. Tensors of a response are valid only during `reply.done`.
   */
  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    let decision: RouteDecision<ServedVersion>;
    try {
      decision = this.#table.route(request);
    } catch (thrown) {
      return this.#absent(request, reply, thrown);
    }
    return this.#accept(decision, request, reply);
  }

  #watchOver({ facts, shadows: limits }: NonNullable<DataplaneOptions['releases']>): ReleaseWatch {
    const serves = (served: ServedVersion) =>
      this.#table.versions(served.spec.id.model).some(({ target }) => target === served);
    return new ReleaseWatch(facts, new Shadows({ clock: this.#clock, facts, limits, serves }));
  }

  #accept(decision: RouteDecision<ServedVersion>, request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    const { primary: served, mark, split, shadows } = decision;
    const watch = split === 0 && shadows.length === 0 ? undefined : this.#watch;
    try {
      if (request.deadlineNs <= this.#clock.nowNs()) {
        throw new ServingError('DEADLINE_EXCEEDED', 'the deadline had passed when the request arrived (admission)');
      }
      const admitted = served.admission.admit(request);
      const call = new InferenceCall(request, admitted, decision, watch, this.#callers, this.#clock, reply);
      served.queue.enqueue(call);
      return call;
    } catch (thrown) {
      const error = toServingError(thrown);
      const totalNs = this.#clock.nowNs() - request.receivedNs;
      served.metrics.failed(error.reason, totalNs);
      reply.failed(error, mark);
      watch?.failed(request, decision, served.spec, error.reason, 0, totalNs);
      return NOTHING_TO_CANCEL;
    }
  }

  #absent(request: InferenceRequest, reply: InferenceReply, unknown: unknown): InferenceHandle {
    const why = this.#whyAbsent(request.model, request.version);
    if (!(why instanceof Promise)) return this.#refuse(reply, why ?? unknown);
    let cancelled = false;
    let accepted: InferenceHandle | undefined;
    const answer = (error: unknown) => {
      if (cancelled) this.#refuse(reply, new ServingError('CLIENT_CANCELLED', 'the client cancelled the request'));
      else accepted = this.#again(request, reply, error);
    };
    why.then((error) => answer(error ?? unknown), answer);
    return {
      cancel: () => {
        cancelled = true;
        accepted?.cancel();
      },
    };
  }

  /** Another thread was asked, and its answer came after whatever it published before. */
  #again(request: InferenceRequest, reply: InferenceReply, absent: unknown): InferenceHandle {
    let decision: RouteDecision<ServedVersion>;
    try {
      decision = this.#table.route(request);
    } catch {
      return this.#refuse(reply, absent);
    }
    return this.#accept(decision, request, reply);
  }

  #refuse(reply: InferenceReply, thrown: unknown): InferenceHandle {
    const error = toServingError(thrown);
    this.#metrics.refused(error.reason);
    reply.failed(error);
    return NOTHING_TO_CANCEL;
  }
}

const NOTHING_TO_CANCEL: InferenceHandle = Object.freeze({ cancel: () => {} });
