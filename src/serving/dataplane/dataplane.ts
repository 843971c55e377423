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
import { InferenceCall } from './inference-call.js';
import type { ServedVersion } from './served-version.js';

export interface DataplaneOptions {
  readonly clock: Clock;
  readonly metrics: MetricsSink;
  /** Why a model or version that no table names cannot be used (e.g. still loading); undefined = it does not exist. */
  readonly whyAbsent: (model: string, version: number | undefined) => ServingError | undefined;
}

/**
 * The single path of an inference, whatever protocol it came by: admit, route, enqueue, reply, account. It holds the
 * routing table in force; `publish` replaces it in one assignment.
 */
export class Dataplane {
  readonly #clock: Clock;
  readonly #metrics: MetricsSink;
  readonly #whyAbsent: DataplaneOptions['whyAbsent'];
  #table: RoutingTable<ServedVersion> = RoutingTable.empty();

  constructor(options: DataplaneOptions) {
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#whyAbsent = options.whyAbsent;
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
    let served: ServedVersion | undefined;
    try {
      served = this.#route(request);
      if (request.deadlineNs <= this.#clock.nowNs()) {
        throw new ServingError('DEADLINE_EXCEEDED', 'the deadline had passed when the request arrived (admission)');
      }
      const admitted = served.admission.admit(request);
      const call = new InferenceCall(request, admitted, served, this.#clock, reply);
      served.batcher.enqueue(call);
      return call;
    } catch (thrown) {
      const error = toServingError(thrown);
      if (served === undefined) this.#metrics.refused(error.reason);
      else served.metrics.failed(error.reason, this.#clock.nowNs() - request.receivedNs);
      reply.failed(error);
      return NOTHING_TO_CANCEL;
    }
  }

  #route(request: InferenceRequest): ServedVersion {
    try {
      return this.#table.route(request.model, request.version).primary;
    } catch (thrown) {
      throw this.#whyAbsent(request.model, request.version) ?? thrown;
    }
  }
}

const NOTHING_TO_CANCEL: InferenceHandle = Object.freeze({ cancel: () => {} });
