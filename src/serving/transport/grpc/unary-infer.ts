import {
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type Lease,
  type MemoryPlace,
  type RequestTrace,
  type RouteMark,
  ServingError,
  toServingError,
} from '../../../core/index.js';
import { type CallContext, decodeModelInfer, encodeModelInferResponse, type ReplyRoom } from '../../codec/index.js';
import type { RequestMemory } from '../client-memory/request-memory.js';
import { asksToExplain, explained, isExplained } from '../explain.js';
import { joinTrace, TRACERESPONSE } from '../request-trace.js';
import { FRAME_HEAD_BYTES, sealFrame } from './framing/frame.js';
import type { CallHandler } from './framing/method.js';
import type { ServerCall } from './framing/server-call.js';
import type { GrpcState } from './grpc-options.js';
import { failureOf } from './grpc-status.js';
import { callerIn, callerTraits, traceIn } from './request-metadata.js';

/** What a message of a unary inference means, and how its answer is written: one object a call, or one for all of them. */
export interface UnaryForm {
  /** Of the method, for the log. */
  readonly name: string;
  /** Tensors may be views of the message. What it throws, or rejects with, refuses the request. */
  decode(bytes: Uint8Array, context: CallContext): InferenceRequest | Promise<InferenceRequest>;
  /** Synchronous: outputs are valid until it returns. `headBytes` are left free before the message; `places`: outputs in memory of the client. */
  encode(
    response: InferenceResponse,
    headBytes: number,
    room: ReplyRoom,
    places?: ReadonlyMap<string, MemoryPlace>,
  ): Buffer;
}

const MODEL_INFER: UnaryForm = { name: 'ModelInfer', decode: decodeModelInfer, encode: encodeModelInferResponse };

/** An inference of one message, ModelInfer unless another form is given: a call is a `UnaryInfer`. */
export function unaryInfer(state: GrpcState, formOf = () => MODEL_INFER): (call: ServerCall) => CallHandler {
  return (call) => new UnaryInfer(state, call, formOf());
}

/**
 * Bytes in, bytes out. The request's tensors are views of the message, which is held until the outcome; the answer is encoded
 * inside `done`, while its tensors are valid, behind the free head of its frame.
 */
class UnaryInfer implements CallHandler, InferenceReply {
  readonly #state: GrpcState;
  readonly #call: ServerCall;
  readonly #form: UnaryForm;
  #handle: InferenceHandle | undefined;
  /** Bytes taken of the budget; undefined where none are, before the request and after its outcome. */
  #takenBytes: number | undefined;
  /** Of the message, until its outcome. */
  #lease: Lease | undefined;
  #trace: RequestTrace | undefined;
  #requestId = '';
  #model = '';
  /** Tensors in memory of the client; undefined where the server takes none. */
  #placed: RequestMemory | undefined;

  constructor(state: GrpcState, call: ServerCall, form: UnaryForm) {
    this.#state = state;
    this.#call = call;
    this.#form = form;
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
      this.#placed = this.#state.requestMemory?.();
      const { tenantHeader, criticalityHeader } = callerIn(this.#call.headers, this.#state.tenantHeader);
      const { deadlineNs } = this.#call;
      const caller = callerTraits(inference.wanted, this.#state.forward, this.#call);
      const placed = this.#placed;
      const context = { deadlineNs, receivedNs, nowNs, tenantHeader, criticalityHeader, caller, lease, placed };
      const request = this.#form.decode(bytes, context);
      // Settles by itself: every failure is answered inside.
      if (request instanceof Promise) void this.#inferLater(request);
      else this.#infer(request);
    } catch (thrown) {
      this.#refuse(thrown);
    }
  }

  halfClosed(): void {}

  cancelled(): void {
    if (this.#handle !== undefined) this.#handle.cancel();
    else if (this.#takenBytes !== undefined)
      this.failed(new ServingError('CLIENT_CANCELLED', 'the client cancelled the request'));
  }

  done(response: InferenceResponse): void {
    let frame: Buffer;
    try {
      const placed = this.#placed;
      const shown = placed === undefined || this.#call.ended ? response : placed.answered(response);
      frame = this.#form.encode(shown, FRAME_HEAD_BYTES, this.#state.room, placed?.places);
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
    const error = failureOf(thrown, this.#form.name, this.#state.log, this.#requestId, this.#trace);
    // It may have ended before, by its deadline, and what came of it since is that it was cancelled.
    const traced = this.#trace?.failing(this.#call.failure ?? error, mark, false);
    const request = { model: this.#model, id: this.#requestId };
    this.#call.fail(error, withTrace(mark?.metadata, traced), request);
    this.#trace?.ended(0);
  }

  #infer(request: InferenceRequest): void {
    this.#requestId = request.id;
    this.#model = request.model;
    joinTrace(request, this.#trace);
    const handle = this.#state.inference.infer(request, this);
    if (this.#takenBytes !== undefined) this.#handle = handle;
  }

  async #inferLater(decoded: Promise<InferenceRequest>): Promise<void> {
    try {
      const request = await decoded;
      // The client has gone meanwhile.
      if (this.#takenBytes !== undefined) this.#infer(request);
    } catch (thrown) {
      if (this.#takenBytes !== undefined) this.#refuse(thrown);
    }
  }

  #refuse(thrown: unknown): void {
    this.#state.onRefused(toServingError(thrown).reason);
    this.failed(thrown);
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
    this.#placed?.release();
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
