import {
  type CallerTraits,
  type InferenceResponse,
  type Lease,
  NO_DEADLINE,
  PlacedSet,
  type RouteMark,
  ServingError,
  toServingError,
} from '../../../core/index.js';
import {
  attachStreamFrame,
  type DetachedBody,
  decodeStreamFrame,
  detachStreamFrame,
  encodeStreamError,
  encodeStreamReply,
  type OutgoingFrame,
  type ReplyFormat,
  type StreamFrame,
  type StreamFrameOptions,
  streamFrameId,
  streamJsonBytes,
} from '../../codec/index.js';
import { answerParameters, isExplained } from '../explain.js';
import type { HttpState } from '../http/http-options.js';
import type { ModelPath } from '../http/model-path.js';
import { AT_ONCE_BYTES } from '../reply-memory.js';
import { aboutRequest, joinTrace, TRACERESPONSE, traceOfMessage } from '../request-trace.js';
import type { WebSocket } from '../uws/uws-types.js';
import { type CallOwner, StreamCall } from './stream-call.js';
import { StreamSequences } from './stream-sequences.js';
import { FrameQueue, type TurnFrames } from './turn-frames.js';

/** Where a large frame's id is looked for. */
const ID_WITHIN_BYTES = 4096;

/** Of frames that the client has not read: with more, decoupled models wait. */
const UNREAD_BYTES = 64 * 1024;

/** What the headers of the upgrade say of all requests of a connection; empty = nothing. */
export interface StreamCaller {
  readonly tenantHeader: string;
  readonly criticalityHeader: string;
  /** Undefined where no routes in force read of the caller when it came. */
  readonly caller: CallerTraits | undefined;
  /** Of the trace that requests belong to which name none of their own. */
  readonly traceparent: string;
  readonly tracestate: string;
  readonly userAgent: string;
  /** Empty where nobody wants it. */
  readonly client: string;
}

/** One WebSocket: requests in, each answered by a frame with its id, in the order they finish. */
export class StreamConnection implements CallOwner {
  readonly server: HttpState;
  readonly #socket: WebSocket<unknown>;
  readonly #path: ModelPath;
  readonly #caller: StreamCaller;
  readonly #turn: TurnFrames;
  readonly #frames: FrameQueue;
  readonly #calls = new PlacedSet<StreamCall>();
  readonly #sequences = new StreamSequences();
  /** The last frame that waits for those before it to be decoded on other threads; undefined: none does. */
  #line: Promise<void> | undefined;
  /** What models wait for that are ahead of the client. */
  readonly #unread: (() => void)[] = [];
  /** Calls that were refused before their outcome came. */
  readonly #broken = new Set<StreamCall>();
  #open = true;
  #draining = false;

  constructor(server: HttpState, socket: WebSocket<unknown>, path: ModelPath, caller: StreamCaller, turn: TurnFrames) {
    this.server = server;
    this.#socket = socket;
    this.#path = path;
    this.#caller = caller;
    this.#turn = turn;
    this.#frames = new FrameQueue(socket, turn, server.streamCompression);
  }

  /** Takes one frame; its memory is the library's and gone when this returns. Never throws. */
  receive(message: ArrayBuffer, isBinary: boolean): void {
    const { server } = this;
    const receivedNs = server.clock.nowNs();
    const call = new StreamCall(this, message.byteLength);
    if (server.watch !== undefined) this.#watch(call, receivedNs);
    try {
      if (this.#draining) throw new ServingError('DRAINING', 'the server is draining and takes no new requests');
      server.budget.acquire(call.bytes);
    } catch (thrown) {
      server.onRefused(toServingError(thrown).reason);
      this.#refuse(call, thrown, undefined);
      return;
    }
    this.#calls.add(call);
    let frame: Uint8Array = new Uint8Array(message);
    try {
      if (this.#isLargeJson(frame, isBinary)) {
        const before = this.#line;
        const decoding = this.#decodeOffThread(call, frame, isBinary, this.#context(receivedNs, undefined), before);
        this.#queue(() => decoding);
        return;
      }
      // What comes of JSON has memory of its own; only binary inputs are views of their frame.
      if (isBinary) frame = call.keep(frame, server.memory);
      const decoded = decodeStreamFrame(frame, isBinary, this.#context(receivedNs, call.lease));
      if (this.#line === undefined || decoded.request.sequence === undefined) this.#start(call, decoded);
      else this.#queue(() => this.#startLate(call, decoded));
    } catch (thrown) {
      server.onRefused(toServingError(thrown).reason);
      if (call.id === '') call.id = streamFrameId(frame, isBinary);
      this.refuse(call, thrown);
    }
  }

  /** Takes no more requests and closes with 1001 when the last answer is sent. */
  drain(): void {
    this.#draining = true;
    this.#endWhenDrained();
  }

  /** The socket is gone: what it asked for is not wanted any more. */
  closed(): void {
    this.#open = false;
    this.#frames.drop();
    for (const call of this.#calls.all()) call.handle?.cancel();
    this.#sequences.end();
  }

  /** One response of a decoupled model; the client's pace of reading is the model's. */
  part(call: StreamCall, response: InferenceResponse, taken: () => void): void {
    if (!this.#open || this.#broken.has(call)) return;
    try {
      const parameters = { ...answerParameters(response), triton_final_response: false };
      this.#encoded(call, { ...response, parameters });
    } catch (thrown) {
      this.#broken.add(call);
      this.#refuse(call, thrown, response.mark);
      call.handle?.cancel();
      return;
    }
    if (this.#socket.getBufferedAmount() <= UNREAD_BYTES) taken();
    else this.#unread.push(taken);
  }

  /** The client has read: models that wait for it go on. */
  drained(): void {
    if (this.#socket.getBufferedAmount() > UNREAD_BYTES) return;
    for (const taken of this.#unread.splice(0)) taken();
  }

  /** The answer of a call, encoded while its tensors are valid. */
  answer(call: StreamCall, response: InferenceResponse): void {
    if (this.#open && !this.#broken.delete(call)) {
      try {
        const traced = call.trace?.answering(response, isExplained(response));
        let parameters = answerParameters(response);
        if (traced !== undefined) parameters = { ...parameters, [TRACERESPONSE]: traced };
        if (response.index !== undefined) parameters = { ...parameters, triton_final_response: true };
        const named = parameters === response.parameters ? response : { ...response, parameters };
        const bytes = this.#encoded(call, named);
        call.trace?.ended(bytes);
      } catch (thrown) {
        this.#refuse(call, thrown, response.mark);
      }
    } else {
      call.trace?.answering(response, false);
      call.trace?.ended(0);
    }
    this.#forget(call);
  }

  refuse(call: StreamCall, thrown: unknown, mark?: RouteMark): void {
    // Told before: one of its responses could not be encoded.
    if (!this.#broken.delete(call)) this.#refuse(call, thrown, mark);
    this.#forget(call);
  }

  /** Sends a response, and tells its bytes. */
  #encoded(call: StreamCall, response: InferenceResponse): number {
    const options = { allowNan: this.server.allowNan, room: this.#turn };
    const frame = encodeStreamReply(response, call.format as ReplyFormat, options);
    const lease = this.#turn.takeLease();
    this.#send(frame, lease === undefined);
    lease?.release();
    return frame.data.byteLength;
  }

  #watch(call: StreamCall, receivedNs: number): void {
    const { traceparent, tracestate, userAgent, client } = this.#caller;
    call.trace = this.server.watch?.begin('websocket', receivedNs, traceparent, tracestate, userAgent);
    if (call.trace === undefined) return;
    call.trace.requestBytes = call.bytes;
    call.trace.model = this.#path.model;
    call.trace.client = client;
  }

  /** One literal: V8 makes a hidden class anew for each object that is spread and then grows, 3 us a frame. */
  #context(receivedNs: number, lease: Lease | undefined): StreamFrameOptions {
    const { allowNan, nowNs } = this.server;
    const { model, version } = this.#path;
    const { tenantHeader, criticalityHeader, caller } = this.#caller;
    const deadlineNs = NO_DEADLINE;
    return { model, version, allowNan, deadlineNs, tenantHeader, criticalityHeader, caller, receivedNs, nowNs, lease };
  }

  /** Decoded before the limit is looked at, so that the refusal names the request. */
  #start(call: StreamCall, frame: StreamFrame): void {
    call.id = frame.request.id;
    call.format = frame.format;
    call.trace = traceOfMessage(this.server.watch, frame.request, 'websocket', call.trace);
    joinTrace(frame.request, call.trace);
    if (this.#calls.size > this.server.maxStreamRequests) {
      throw new ServingError(
        'RATE_LIMITED',
        `this connection has ${this.#calls.size - 1} requests in flight, at most ${this.server.maxStreamRequests} are allowed`,
      );
    }
    const { request } = frame;
    call.handle = this.server.inference.infer(request, call);
    if (request.sequence !== undefined) this.#sequences.sent(request.sequence, call.handle);
  }

  /** `step` never rejects: every failure is answered inside. */
  #queue(step: () => Promise<void> | void): void {
    const line = (this.#line ?? Promise.resolve()).then(step).then(() => {
      if (this.#line === line) this.#line = undefined;
    });
    this.#line = line;
  }

  /** A frame that was decoded before those that came before it. */
  #startLate(call: StreamCall, frame: StreamFrame): void {
    if (!this.#open) {
      this.#forget(call);
      return;
    }
    try {
      this.#start(call, frame);
    } catch (thrown) {
      this.server.onRefused(toServingError(thrown).reason);
      this.refuse(call, thrown);
    }
  }

  /** Whether decoding a frame here would hold the event loop too long. */
  #isLargeJson(frame: Uint8Array, isBinary: boolean): boolean {
    const jsonBytes = Math.min(streamJsonBytes(frame, isBinary), frame.byteLength);
    return jsonBytes >= this.server.offloadJsonBytes;
  }

  async #decodeOffThread(
    call: StreamCall,
    frame: Uint8Array,
    isBinary: boolean,
    options: StreamFrameOptions,
    before: Promise<void> | undefined,
  ): Promise<void> {
    const abort = new AbortController();
    call.handle = { cancel: () => abort.abort() };
    // The frame goes to the other thread for good: an error can name the request where the id stands before the tensors.
    call.id = streamFrameId(frame.subarray(0, ID_WITHIN_BYTES), isBinary);
    try {
      const input = detachStreamFrame(frame, isBinary, options);
      const detached = (await this.server.offload.run('decodeV2Json', input, abort.signal)) as DetachedBody;
      const decoded = attachStreamFrame(detached, options);
      // Requests of a sequence keep the order of their frames; others do not wait for each other.
      if (decoded.request.sequence !== undefined) await before;
      if (!this.#open) return this.#forget(call);
      this.#start(call, decoded);
    } catch (thrown) {
      this.server.onRefused(toServingError(thrown).reason);
      this.refuse(call, thrown);
    }
  }

  #forget(call: StreamCall): void {
    this.server.budget.release(call.bytes);
    call.release();
    this.#calls.delete(call);
    this.#endWhenDrained();
  }

  #refuse({ id, trace }: StreamCall, thrown: unknown, mark: RouteMark | undefined): void {
    const error = toServingError(thrown);
    const { reason, cause, facts } = error;
    if (facts.logLevel === 'error')
      this.server.log.error('stream request failed', { reason, ...aboutRequest(id, trace), cause });
    const traced = trace?.failing(error, mark, false);
    const shown = this.server.errors?.(error, { model: this.#path.model, id }) ?? error;
    const frame = this.#open ? encodeStreamError(shown, id, traced) : undefined;
    if (frame !== undefined) this.#send(frame, true);
    trace?.ended(frame?.data.byteLength ?? 0);
  }

  /** `lasting`: the frame's bytes stay as they are until it is sent. Where more answers are due, more may come in this turn. */
  #send(frame: OutgoingFrame, lasting: boolean): void {
    this.#frames.send(frame, lasting && this.#calls.size > 1 && frame.data.byteLength <= AT_ONCE_BYTES);
  }

  #endWhenDrained(): void {
    if (!this.#draining || !this.#open || this.#calls.size > 0) return;
    this.#frames.flush();
    this.#socket.end(1001, 'the server is going away');
  }
}
