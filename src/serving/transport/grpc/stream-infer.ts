import {
  type InferenceHandle,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type Lease,
  type Parameters,
  type RequestTrace,
  type RouteMark,
  ServingError,
  toServingError,
} from '../../../core/index.js';
import {
  decodeModelInfer,
  encodeModelInferResponse,
  encodeStreamResponse,
  encodeStreamResponseError,
} from '../../codec/index.js';
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
import { StreamedAnswer } from './streamed-answer.js';

const METHOD = 'ModelStreamInfer';

/** What a slot's stream does with its answer. */
interface SlotOwner {
  part(slot: Slot, response: InferenceResponse, taken: () => void): void;
  done(slot: Slot, response: InferenceResponse): void;
  failed(slot: Slot, error: unknown, mark?: RouteMark): void;
}

/** One request of a stream, until its answer is written. */
class Slot implements InferenceReply {
  readonly #owner: SlotOwner;
  model = '';
  id = '';
  handle: InferenceHandle | undefined;
  /** A sealed frame or an error that waits until all requests before it are answered; undefined until it is settled. */
  answer: Buffer | ServingError | undefined;
  /** Of a decoupled model, from its first response on: it has left the order of the requests. */
  streamed: StreamedAnswer | undefined;
  /** Whether the end is told where it comes without outputs (Triton's request parameter). */
  wantsEmptyEnd = false;
  trace: RequestTrace | undefined;
  lease: Lease | undefined;
  /** Tensors in memory of the client; undefined where the server takes none. */
  placed: RequestMemory | undefined;
  /** Taken of the budget, as a request in flight; undefined: it is none. */
  bytes: number | undefined;

  constructor(owner: SlotOwner) {
    this.#owner = owner;
  }

  part(response: InferenceResponse, taken: () => void): void {
    this.#owner.part(this, response, taken);
  }

  done(response: InferenceResponse): void {
    this.#owner.done(this, response);
  }

  failed(error: ServingError, mark?: RouteMark): void {
    this.#owner.failed(this, error, mark);
  }
}

/** ModelStreamInfer: each call is an `InferStream`; `streams` has those that are open, to end them when the server drains. */
export function streamInfer(state: GrpcState, streams: OpenStreams): (call: ServerCall) => CallHandler {
  return (call) => new InferStream(state, call, streams);
}

/**
 * One stream: many requests in flight, answers in the order of the requests, as Triton gives them for models with one
 * answer a request. Responses of decoupled models are sent as they come, those of one request in their order. An error is an
 * answer (`error_message`, with the request's id) and the stream goes on; with the metadata `triton_grpc_error: true`, and in
 * MLServer's form, whose messages have no place for it, it is the stream's status and ends it.
 */
class InferStream implements CallHandler, SlotOwner {
  readonly #state: GrpcState;
  readonly #call: ServerCall;
  readonly #streams: OpenStreams;
  readonly #errorEndsStream: boolean;
  readonly #encoding: MessageEncoding | undefined;
  readonly #caller: ReturnType<typeof callerIn>;
  /** In the order of the requests. Bounded: reading pauses at `maxStreamRequests`, unflushed answers included. */
  readonly #slots: Slot[] = [];
  /** Those that have left that order. */
  readonly #streaming = new Set<Slot>();
  #unflushed = 0;
  #halfClosed = false;
  #draining = false;
  #ended = false;

  constructor(state: GrpcState, call: ServerCall, streams: OpenStreams) {
    this.#state = state;
    this.#call = call;
    this.#streams = streams;
    this.#errorEndsStream = call.headers.triton_grpc_error === 'true' || state.streamForm === 'mlserver';
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
    const slot = new Slot(this);
    slot.lease = lease;
    this.#slots.push(slot);
    if (this.#open >= this.#state.maxStreamRequests) this.#call.pause();
    const request = this.#admit(bytes, slot);
    if (request === undefined) return;
    slot.handle = this.#state.inference.infer(request, slot);
    // The stream may have ended inside `infer`, through another request's failure.
    if (this.#ended && slot.answer === undefined) slot.handle.cancel();
  }

  /** The request, counted as in flight; or undefined, its slot answered with why it is refused. */
  #admit(bytes: Buffer, slot: Slot): InferenceRequest | undefined {
    const { budget, inFlight, nowNs } = this.#state;
    const receivedNs = nowNs();
    slot.trace = traceIn(this.#state.watch, this.#call, 'grpc_stream', receivedNs, bytes.byteLength);
    try {
      if (this.#draining || inFlight.draining) throw new ServingError('DRAINING', 'the server is shutting down');
      slot.placed = this.#state.requestMemory?.();
      const { deadlineNs } = this.#call;
      const { tenantHeader, criticalityHeader } = this.#caller;
      const caller = callerTraits(this.#state.inference.wanted, this.#state.forward, this.#call);
      const { lease, placed } = slot;
      const context = { deadlineNs, receivedNs, nowNs, tenantHeader, criticalityHeader, caller, lease, placed };
      const request = decodeModelInfer(bytes, context);
      slot.model = request.model;
      slot.id = request.id;
      slot.wantsEmptyEnd = asksForEmptyEnd(request.parameters);
      slot.trace = traceOfMessage(this.#state.watch, request, 'grpc_stream', slot.trace);
      joinTrace(request, slot.trace);
      budget.acquire(bytes.byteLength);
      slot.bytes = bytes.byteLength;
      inFlight.enter();
      return request;
    } catch (thrown) {
      this.#state.onRefused(toServingError(thrown).reason);
      slot.id = requestIdOf(bytes);
      this.failed(slot, thrown);
      return undefined;
    }
  }

  part(slot: Slot, response: InferenceResponse, taken: () => void): void {
    if (this.#ended) return;
    let frame: Buffer;
    try {
      if (slot.placed?.places !== undefined) throw severalInOnePlace();
      frame = this.#encode(slot, response, { ...answerParameters(response), triton_final_response: false });
    } catch (thrown) {
      this.#refuse(slot, thrown, response.mark);
      slot.handle?.cancel();
      return;
    }
    this.#streamedOf(slot).push(frame, () => {
      this.#flushed();
      taken();
    });
  }

  done(slot: Slot, response: InferenceResponse): void {
    this.#answer(slot, response);
    this.#release(slot);
  }

  failed(slot: Slot, thrown: unknown, mark?: RouteMark): void {
    this.#refuse(slot, thrown, mark);
    this.#release(slot);
  }

  #release(slot: Slot): void {
    slot.lease?.release();
    slot.lease = undefined;
    slot.placed?.release();
    if (slot.bytes === undefined) return;
    this.#state.budget.release(slot.bytes);
    slot.bytes = undefined;
    this.#state.inFlight.leave();
  }

  #answer(slot: Slot, response: InferenceResponse): void {
    let frame: Buffer | undefined;
    try {
      const traced = slot.trace?.answering(response, isExplained(response));
      const named = traced === undefined ? {} : { [TRACERESPONSE]: traced };
      // Triton marks the last answer of a request, and clients of decoupled models wait for the mark.
      const parameters = { ...answerParameters(response), ...named, triton_final_response: true };
      const told = response.index === undefined || response.outputs.length > 0 || slot.wantsEmptyEnd;
      frame = told ? this.#encode(slot, response, parameters) : undefined;
    } catch (thrown) {
      this.#refuse(slot, thrown, response.mark);
      return;
    }
    slot.trace?.ended(frame?.byteLength ?? 0);
    if (response.index !== undefined) this.#endStreamed(slot, frame);
    else if (this.#encoding === undefined) this.#settle(slot, frame as Buffer);
    else this.#compress(slot, this.#encoding, frame as Buffer);
  }

  /** What comes later may be ready earlier: its slot waits. */
  #compress(slot: Slot, encoding: MessageEncoding, frame: Buffer): void {
    compressAnswer(encoding, frame.subarray(FRAME_HEAD_BYTES), (compressed) =>
      this.#settle(slot, compressed === undefined ? frame : frameOf(compressed, true)),
    );
  }

  #encode({ placed }: Slot, response: InferenceResponse, parameters: Parameters): Buffer {
    const { streamForm, room } = this.#state;
    const encode = streamForm === 'mlserver' ? encodeModelInferResponse : encodeStreamResponse;
    const shown = placed?.answered(response) ?? response;
    return sealFrame(encode({ ...shown, parameters }, FRAME_HEAD_BYTES, room, placed?.places));
  }

  /** Takes a slot out of the order of the requests. */
  #streamedOf(slot: Slot): StreamedAnswer {
    if (slot.streamed !== undefined) return slot.streamed;
    const at = this.#slots.indexOf(slot);
    if (at >= 0) this.#slots.splice(at, 1);
    this.#streaming.add(slot);
    slot.streamed = new StreamedAnswer(this.#encoding, (frame, flushed) => this.#write(frame, flushed));
    return slot.streamed;
  }

  /** `last` undefined: the end is not told. */
  #endStreamed(slot: Slot, last: Buffer | undefined): void {
    if (this.#ended) return;
    const streamed = this.#streamedOf(slot);
    if (last !== undefined) streamed.push(last, () => this.#flushed());
    streamed.end(() => {
      this.#streaming.delete(slot);
      this.#resume();
      this.#advance();
    });
  }

  #settle(slot: Slot, answer: Buffer | ServingError): void {
    slot.answer = answer;
    this.#advance();
  }

  #refuse(slot: Slot, thrown: unknown, mark?: RouteMark): void {
    if (slot.answer !== undefined) return;
    const { model, id } = slot;
    const found = failureOf(thrown, METHOD, this.#state.log, id, slot.trace);
    slot.trace?.failing(this.#call.failure ?? found, mark, false);
    const error = this.#state.errors?.(found, { model, id }) ?? found;
    slot.trace?.ended(0);
    const message = () => frameOf(encodeStreamResponseError(sendableText(error.message), id));
    if (slot.streamed === undefined) this.#settle(slot, this.#errorEndsStream ? error : message());
    else if (this.#ended) return;
    else if (this.#errorEndsStream) this.#endWith(error);
    else {
      slot.answer = error;
      this.#endStreamed(slot, message());
    }
  }

  /** Requests that are not answered, and answers that are not sent. */
  get #open(): number {
    return this.#slots.length + this.#streaming.size + this.#unflushed;
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
      this.#write(answer, () => this.#flushed());
    }
    if (this.#slots.length > 0 || this.#streaming.size > 0) return;
    if (this.#halfClosed) {
      this.#abandon();
      this.#call.end();
    } else if (this.#draining) this.#endWith(new ServingError('DRAINING', 'the server is shutting down'));
  }

  #write(frame: Buffer, flushed: () => void): void {
    if (this.#ended) return;
    this.#unflushed++;
    this.#call.write(frame, flushed);
  }

  #flushed(): void {
    this.#unflushed--;
    this.#resume();
  }

  #resume(): void {
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
    for (const slot of [...this.#slots.splice(0), ...this.#streaming]) slot.handle?.cancel();
    this.#streaming.clear();
  }
}

/** Triton's request parameter of the name, a boolean. */
function asksForEmptyEnd({ triton_enable_empty_final_response: asked }: Parameters): boolean {
  if (asked === undefined || typeof asked === 'boolean') return asked === true;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `parameter "triton_enable_empty_final_response" must be a boolean, came ${JSON.stringify(String(asked))}`,
  );
}

function severalInOnePlace(): ServingError {
  return new ServingError(
    'UNSUPPORTED',
    'outputs go to shared memory where a request has one response: the next one would take the place of the one before it',
  );
}
