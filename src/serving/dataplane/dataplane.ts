import {
  type Clock,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type MetricsSink,
  ServingError,
  toServingError,
} from '../../core/index.js';
import { RoutingTable } from '../router/index.js';
import { Callers } from './callers.js';
import { InferenceCall } from './inference-call.js';
import type { ServedVersion } from './served-version.js';

export interface DataplaneOptions {
  readonly clock: Clock;
  readonly metrics: Pick<MetricsSink, 'refused'>;
  readonly whyAbsent: WhyAbsent;
  /** Whom requests are answered for; default: nobody is told apart. */
  readonly callers?: Callers;
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
  #table: RoutingTable<ServedVersion> = RoutingTable.empty();

  constructor(options: DataplaneOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#whyAbsent = options.whyAbsent;
    this.#callers = options.callers ?? new Callers();
  }

  get table(): RoutingTable<ServedVersion> {
    return this.#table;
  }

  /** From the next request on, exactly these versions of `model` serve; none takes it away. */
  publish(model: string, versions: readonly ServedVersion[]): void {
    this.#table = this.#table.with(
      model,
      versions.map((served) => ({ version: served.spec.id.version, target: served })),
    );
  }

  /**
   * Takes one request. Never throws. `reply` is called exactly once: at once where the request is refused, else when its
   * batch ends, its deadline passes, or it is cancelled. Tensors of a response are valid only during `reply.done`.
   */
  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    let served: ServedVersion;
    try {
      served = this.#table.route(request.model, request.version).primary;
    } catch (thrown) {
      return this.#absent(request, reply, thrown);
    }
    return this.#accept(served, request, reply);
  }

  #accept(served: ServedVersion, request: InferenceRequest, reply: InferenceReply): InferenceHandle {
    try {
      if (request.deadlineNs <= this.#clock.nowNs()) {
        throw new ServingError('DEADLINE_EXCEEDED', 'the deadline had passed when the request arrived (admission)');
      }
      const admitted = served.admission.admit(request);
      const call = new InferenceCall(request, admitted, served, this.#callers, this.#clock, reply);
      served.queue.enqueue(call);
      return call;
    } catch (thrown) {
      const error = toServingError(thrown);
      served.metrics.failed(error.reason, this.#clock.nowNs() - request.receivedNs);
      reply.failed(error);
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
    let served: ServedVersion;
    try {
      served = this.#table.route(request.model, request.version).primary;
    } catch {
      return this.#refuse(reply, absent);
    }
    return this.#accept(served, request, reply);
  }

  #refuse(reply: InferenceReply, thrown: unknown): InferenceHandle {
    const error = toServingError(thrown);
    this.#metrics.refused(error.reason);
    reply.failed(error);
    return NOTHING_TO_CANCEL;
  }
}

const NOTHING_TO_CANCEL: InferenceHandle = Object.freeze({ cancel: () => {} });
