import {
  type InferenceHandle,
  type InferenceReply,
  type InferenceResponse,
  type Lease,
  type RequestTrace,
  type RouteMark,
  ServingError,
  toServingError,
} from '../../../core/index.js';
import { decodeModelInfer, encodeModelInferResponse } from '../../codec/index.js';
import { asksToExplain, explained, isExplained } from '../explain.js';
import { joinTrace, TRACERESPONSE } from '../request-trace.js';
import { FRAME_HEAD_BYTES, sealFrame } from './framing/frame.js';
import type { CallHandler } from './framing/method.js';
import type { ServerCall } from './framing/server-call.js';
import type { GrpcState } from './grpc-options.js';
import { failureOf } from './grpc-status.js';
import { callerIn, callerTraits, traceIn } from './request-metadata.js';

/** ModelInfer: a call is a `UnaryInfer`. */
export function unaryInfer(state: GrpcState): (call: ServerCall) => CallHandler {
  return (call) => new UnaryInfer(state, call);
}

/**
 * Bytes in, bytes out. The request's tensors are views of the message, which is held until the outcome; the answer is encoded
 * inside `done`, while its tensors are valid, behind the free head of its frame.
 */
class UnaryInfer implements CallHandler, InferenceReply {
  readonly #state: GrpcState;
  readonly #call: ServerCall;
  #handle: InferenceHandle | undefined;
  /** Bytes taken of the budget; undefined where none are, before the request and after its outcome. */
  #takenBytes: number | undefined;
  /** Of the message, until its outcome. */
  #lease: Lease | undefined;
  #trace: RequestTrace | undefined;
  #requestId = '';
  #model = '';

  constructor(state: GrpcState, call: ServerCall) {
    this.#state = state;
    this.#call = call;
  }

  message(bytes: Buffer, lease: Lease | undefined): void {
    this.#lease = lease;
    const { nowNs, inFlight, budget, inference, watch } = this.#state;
    const receivedNs = nowNs();
    this.#trace = traceIn(watch, this.#call, 'grpc', receivedNs, bytes.byteLength);
    try {
      if (inFlight.draining) throw new ServingError('DRAINING', 'the server is shutting down');
      budget.acquire(bytes.byteLength);
      this.#takenBytes = bytes.byteLength;
      inFlight.enter();
      const { tenantHeader, criticalityHeader } = callerIn(this.#call.headers, this.#state.tenantHeader);
      const { deadlineNs } = this.#call;
      const caller = callerTraits(inference.wanted, this.#call);
      const context = { deadlineNs, receivedNs, nowNs, tenantHeader, criticalityHeader, caller, lease };
      const request = decodeModelInfer(bytes, context);
      this.#requestId = request.id;
      this.#model = request.model;
      joinTrace(request, this.#trace);
      const handle = inference.infer(request, this);
      if (this.#takenBytes !== undefined) this.#handle = handle;
    } catch (thrown) {
      this.#state.onRefused(toServingError(thrown).reason);
      this.failed(thrown);
    }
  }

  halfClosed(): void {}

  cancelled(): void {
    this.#handle?.cancel();
  }

  done(response: InferenceResponse): void {
    let frame: Buffer;
    try {
      frame = encodeModelInferResponse(response, FRAME_HEAD_BYTES, this.#state.room);
    } catch (thrown) {
      this.failed(thrown);
      return;
    }
    this.#settle();
    const explanation = this.#explanation(response);
    const traced = this.#trace?.answering(response, explanation !== undefined);
    this.#call.answer(sealFrame(frame), withTrace(explanation ?? response.mark.metadata, traced));
    this.#trace?.ended(frame.byteLength);
  }

  failed(thrown: unknown, mark?: RouteMark): void {
    this.#settle();
    const error = failureOf(thrown, 'ModelInfer', this.#state.log, this.#requestId, this.#trace);
    // It may have ended before, by its deadline, and what came of it since is that it was cancelled.
    const traced = this.#trace?.failing(this.#call.failure ?? error, mark, false);
    const request = { model: this.#model, id: this.#requestId };
    this.#call.fail(error, withTrace(mark?.metadata, traced), request);
    this.#trace?.ended(0);
  }

  /** Where the metadata or the parameter asks for it. */
  #explanation(response: InferenceResponse): Readonly<Record<string, string>> | undefined {
    const asked = asksToExplain(this.#call.headers['x-penstock-explain']);
    if (!asked && !isExplained(response)) return undefined;
    const trailers: Record<string, string> = { ...response.mark.metadata };
    const pairs = explained(response);
    for (let i = 0; i < pairs.length; i += 2) trailers[pairs[i] as string] = pairs[i + 1] as string;
    return trailers;
  }

  #settle(): void {
    this.#lease?.release();
    this.#lease = undefined;
    if (this.#takenBytes === undefined) return;
    this.#state.budget.release(this.#takenBytes);
    this.#takenBytes = undefined;
    // It holds the request, and the call may live on until its answer is read.
    this.#handle = undefined;
    this.#state.inFlight.leave();
  }
}

function withTrace(
  trailers: Readonly<Record<string, string>> | undefined,
  traced: string | undefined,
): Readonly<Record<string, string>> | undefined {
  return traced === undefined ? trailers : { ...trailers, [TRACERESPONSE]: traced };
}
