import {
  type Clock,
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type PartSink,
  type ResponseKind,
  type RouteMark,
  ServingError,
  type Tensor,
  toServingError,
} from '../../core/index.js';
import type { RouteDecision } from '../router/index.js';
import type { PickedOutput } from './admission.js';
import type { LastReply } from './inference-call.js';
import { pickOutputs } from './picked-outputs.js';
import type { ServedVersion } from './served-version.js';

/**
 * The responses to one request of a decoupled model on their way to its caller: those before the last one come from the model,
 * the last one, or an error, from the call. In order, counted from 0; exactly one is the last, and none comes after it.
 */
export class ResponseStream implements PartSink, LastReply {
  readonly #request: InferenceRequest;
  readonly #decision: RouteDecision<ServedVersion>;
  readonly #picked: readonly PickedOutput[] | undefined;
  readonly #clock: Clock;
  readonly #reply: InferenceReply;
  /** Of the call, to end it where a response cannot be given. */
  handle: InferenceHandle | undefined;
  #next = 0;
  #lastNs: number;
  #over = false;
  #error: ServingError | undefined;

  constructor(
    request: InferenceRequest,
    decision: RouteDecision<ServedVersion>,
    picked: readonly PickedOutput[] | undefined,
    clock: Clock,
    reply: InferenceReply,
  ) {
    this.#request = request;
    this.#decision = decision;
    this.#picked = picked;
    this.#clock = clock;
    this.#reply = reply;
    this.#lastNs = clock.nowNs();
  }

  /** Throws `UNSUPPORTED` where the caller takes one response only. */
  static checkReply(reply: InferenceReply, { spec }: ServedVersion): void {
    if (reply.part !== undefined) return;
    throw new ServingError(
      'UNSUPPORTED',
      `model '${spec.id.model}' has a decoupled transaction policy, a request may have any number of responses: ask it by ` +
        'ModelStreamInfer, a WebSocket, or generate and generate_stream; this call takes exactly one',
    );
  }

  part(all: readonly Tensor[], taken: () => void): void {
    if (this.#over || this.#error !== undefined) return;
    const { primary, mark } = this.#decision;
    let outputs: readonly Tensor[];
    try {
      outputs = pickOutputs(all, this.#picked, primary.spec);
    } catch (thrown) {
      this.#error = toServingError(thrown);
      this.handle?.cancel();
      return;
    }
    const nowNs = this.#clock.nowNs();
    const { decodedNs, receivedNs, id } = this.#request;
    const computeNs = nowNs - this.#lastNs;
    const latency = {
      decodeNs: decodedNs - receivedNs,
      queueNs: 0,
      gatherNs: 0,
      dispatchNs: 0,
      computeNs,
      scatterNs: 0,
      encodeNs: 0,
    };
    const index = this.#next;
    const response: InferenceResponse = {
      version: primary.spec.id,
      id,
      outputs,
      parameters: NO_PARAMETERS,
      latency,
      batchRows: 0,
      paddingShare: 0,
      mark,
      index,
    };
    this.#next++;
    this.#reply.part?.(response, taken);
    this.#count(index, 'success', computeNs, nowNs);
  }

  done(response: InferenceResponse): void {
    this.#over = true;
    const nowNs = this.#clock.nowNs();
    const computeNs = nowNs - this.#lastNs;
    this.#reply.done({ ...response, index: this.#next });
    this.#count(this.#next, response.outputs.length === 0 ? 'empty' : 'success', computeNs, nowNs);
  }

  failed(error: ServingError, mark?: RouteMark): void {
    this.#over = true;
    const told = this.#error ?? error;
    const nowNs = this.#clock.nowNs();
    const computeNs = nowNs - this.#lastNs;
    this.#reply.failed(told, mark);
    this.#count(this.#next, told.reason === 'CLIENT_CANCELLED' ? 'cancel' : 'fail', computeNs, nowNs);
  }

  /** `atNs`: when it had come; it has been handed on now. */
  #count(index: number, kind: ResponseKind, inferNs: number, atNs: number): void {
    this.#lastNs = this.#clock.nowNs();
    this.#decision.primary.metrics.responded(index, kind, inferNs, this.#lastNs - atNs);
  }
}

const NO_PARAMETERS = Object.freeze({});
