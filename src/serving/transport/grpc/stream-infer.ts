import {
  type FailedRequest,
  type InferenceHandle,
  type InferenceRequest,
  type InferenceResponse,
  type Lease,
  type RequestTrace,
  type RouteMark,
  ServingError,
  toServingError,
} from '../../../core/index.js';
import { decodeModelInfer, encodeStreamResponse, encodeStreamResponseError } from '../../codec/index.js';
import type { RequestMemory } from '../client-memory/request-memory.js';
import { answerParameters, isExplained } from '../explain.js';
import { joinTrace, TRACERESPONSE, traceOfMessage } from '../request-trace.js';
import { FRAME_HEAD_BYTES, frameOf, sealFrame } from './framing/frame.js';
import { compressAnswer, type MessageEncoding } from './framing/message-encoding.js';
import type { CallHandler } from './framing/method.js';
import type { ServerCall } from './framing/server-call.js';
import type { GrpcState } from './grpc-options.js';
import { failureOf, sendableText } from './grpc-status.js';
import type { OpenStreams } from './open-streams.js';
import { requestIdOf } from './request-id.js';
import { callerIn, callerTraits, traceIn } from './request-metadata.js';

const METHOD = 'ModelStreamInfer';

/** One request of a stream, until its answer is written. */
interface Slot {
  handle: InferenceHandle | undefined;
  /** A sealed frame or an error that waits until all requests before it are answered; undefined until it is settled. */
  answer: Buffer | ServingError | undefined;
  trace: RequestTrace | undefined;
  /** Tensors in memory of the client; undefined where the server takes none. */
  placed: RequestMemory | undefined;
}

/** ModelStreamInfer: each call is an `InferStream`; `streams` has those that are open, to end them when the server drains. */
export function streamInfer(state: GrpcState, streams: OpenStreams): (call: ServerCall) => CallHandler {
  return (call) => new InferStream(state, call, streams);
}

/**
 * One stream: many requests in flight, answers in the order of the requests, as Triton gives them for models with one
 * answer a request. An error is an answer (`error_message`, with the request's id) and the stream goes on; with the
 * metadata `triton_grpc_error: true` it is the stream's status and ends it.
 */
class InferStream implements CallHandler {
  readonly #state: GrpcState;
  readonly #call: ServerCall;
  readonly #streams: OpenStreams;
  readonly #errorEndsStream: boolean;
  readonly #encoding: MessageEncoding | undefined;
  readonly #caller: ReturnType<typeof callerIn>;
  /** In the order of the requests. Bounded: reading pauses at `maxStreamRequests`, unflushed answers included. */
  readonly #slots: Slot[] = [];
  #unflushed = 0;
  #halfClosed = false;
  #draining = false;
  #ended = false;

  constructor(state: GrpcState, call: ServerCall, streams: OpenStreams) {
    this.#state = state;
    this.#call = call;
    this.#streams = streams;
    this.#errorEndsStream = call.headers.triton_grpc_error === 'true';
    this.#encoding = call.answerEncoding;
    this.#caller = callerIn(call.headers, state.tenantHeader);
    streams.add(this);
  }

  /** No further requests: ends when all that were taken are answered. */
  drain(): void {
    this.#draining = true;
    this.#call.pause();
    this.#advance();
  }

  halfClosed(): void {
    this.#halfClosed = true;
    this.#advance();
  }

  cancelled(): void {
    this.#abandon();
  }

  message(bytes: Buffer, lease: Lease | undefined): void {
    if (this.#ended) {
      lease?.release();
      return;
    }
    const slot: Slot = { handle: undefined, answer: undefined, trace: undefined, placed: undefined };
    this.#slots.push(slot);
    if (this.#open >= this.#state.maxStreamRequests) this.#call.pause();
    const request = this.#admit(bytes, lease, slot);
    if (request === undefined) return;
    const release = () => {
      lease?.release();
      slot.placed?.release();
      this.#state.budget.release(bytes.byteLength);
      this.#state.inFlight.leave();
    };
    slot.handle = this.#state.inference.infer(request, {
      done: (response) => {
        this.#done(slot, request, response);
        release();
      },
      failed: (error, mark) => {
        this.#failed(slot, request, error, mark);
        release();
      },
    });
    // The stream may have ended inside `infer`, through another request's failure.
    if (this.#ended && slot.answer === undefined) slot.handle.cancel();
  }

  /** The request, counted as in flight; or undefined, its slot answered with why it is refused. */
  #admit(bytes: Buffer, lease: Lease | undefined, slot: Slot): InferenceRequest | undefined {
    const { budget, inFlight, nowNs } = this.#state;
    const receivedNs = nowNs();
    slot.trace = traceIn(this.#state.watch, this.#call, 'grpc_stream', receivedNs, bytes.byteLength);
    try {
      if (this.#draining || inFlight.draining) throw new ServingError('DRAINING', 'the server is shutting down');
      slot.placed = this.#state.requestMemory?.();
      const { deadlineNs } = this.#call;
      const { tenantHeader, criticalityHeader } = this.#caller;
      const caller = callerTraits(this.#state.inference.wanted, this.#call);
      const context = {
        deadlineNs,
        receivedNs,
        nowNs,
        tenantHeader,
        criticalityHeader,
        caller,
        lease,
        placed: slot.placed,
      };
      const request = decodeModelInfer(bytes, context);
      slot.trace = traceOfMessage(this.#state.watch, request, 'grpc_stream', slot.trace);
      joinTrace(request, slot.trace);
      budget.acquire(bytes.byteLength);
      inFlight.enter();
      return request;
    } catch (thrown) {
      this.#state.onRefused(toServingError(thrown).reason);
      this.#failed(slot, { id: requestIdOf(bytes) }, thrown);
      lease?.release();
      slot.placed?.release();
      return undefined;
    }
  }

  #done(slot: Slot, request: FailedRequest, response: InferenceResponse): void {
    let frame: Buffer;
    try {
      // Triton marks the last answer of a request, and clients of decoupled models wait for the mark.
      const traced = slot.trace?.answering(response, isExplained(response));
      const named = traced === undefined ? {} : { [TRACERESPONSE]: traced };
      const parameters = { ...answerParameters(response), ...named, triton_final_response: true };
      const shown = slot.placed?.answered(response) ?? response;
      const places = slot.placed?.places;
      frame = sealFrame(encodeStreamResponse({ ...shown, parameters }, FRAME_HEAD_BYTES, this.#state.room, places));
    } catch (thrown) {
      this.#failed(slot, request, thrown, response.mark);
      return;
    }
    slot.trace?.ended(frame.byteLength);
    if (this.#encoding === undefined) this.#settle(slot, frame);
    else {
      // What comes later may be ready earlier: its slot waits.
      compressAnswer(this.#encoding, frame.subarray(FRAME_HEAD_BYTES), (compressed) =>
        this.#settle(slot, compressed === undefined ? frame : frameOf(compressed, true)),
      );
    }
  }

  #settle(slot: Slot, answer: Buffer | ServingError): void {
    slot.answer = answer;
    this.#advance();
  }

  #failed(slot: Slot, { model = '', id = '' }: FailedRequest, thrown: unknown, mark?: RouteMark): void {
    const found = failureOf(thrown, METHOD, this.#state.log, id, slot.trace);
    slot.trace?.failing(this.#call.failure ?? found, mark, false);
    const error = this.#state.errors?.(found, { model, id }) ?? found;
    slot.trace?.ended(0);
    const message = () => frameOf(encodeStreamResponseError(sendableText(error.message), id));
    this.#settle(slot, this.#errorEndsStream ? error : message());
  }

  /** Requests that are not answered, and answers that are not sent. */
  get #open(): number {
    return this.#slots.length + this.#unflushed;
  }

  /** Sends what is ready at the head of the queue; ends the stream where nothing is left to come. */
  #advance(): void {
    if (this.#ended) return;
    for (let answer = this.#slots[0]?.answer; answer !== undefined; answer = this.#slots[0]?.answer) {
      this.#slots.shift();
      if (answer instanceof ServingError) {
        this.#endWith(answer);
        return;
      }
      this.#unflushed++;
      this.#call.write(answer, () => this.#flushed());
    }
    if (this.#slots.length > 0) return;
    if (this.#halfClosed) {
      this.#abandon();
      this.#call.end();
    } else if (this.#draining) this.#endWith(new ServingError('DRAINING', 'the server is shutting down'));
  }

  #flushed(): void {
    this.#unflushed--;
    if (!this.#ended && !this.#draining && this.#open < this.#state.maxStreamRequests) this.#call.resume();
  }

  #endWith(error: ServingError): void {
    this.#abandon();
    this.#call.fail(error);
  }

  /** The stream is over: nobody waits for what is still in flight. Its outcomes come back and are dropped. */
  #abandon(): void {
    this.#ended = true;
    this.#streams.delete(this);
    for (const slot of this.#slots.splice(0)) slot.handle?.cancel();
  }
}
