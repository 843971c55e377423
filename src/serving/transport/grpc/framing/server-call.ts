import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import {
  type ClockTimer,
  ERRORS,
  type FailedRequest,
  GRPC_CODE_NUMBERS,
  type Lease,
  NO_DEADLINE,
  ServingError,
  type WatchedCall,
} from '../../../../core/index.js';
import { addressOfPeer } from '../../client-address.js';
import { failureOf, statusOf } from '../grpc-status.js';
import { ANSWER_HEADERS, failStream, stopReceiving } from './answer-head.js';
import { FRAME_HEAD_BYTES, frameOf } from './frame.js';
import { compressAnswer, inflateMessage, type MessageEncoding, replyEncoding } from './message-encoding.js';
import { MessageReader } from './message-reader.js';
import type { CallContext, CallHandler, Method } from './method.js';
import { attach, type StreamEvents } from './stream-events.js';

const OK_TRAILERS = { 'grpc-status': '0' } as const;
const WITH_TRAILERS = { waitForTrailers: true } as const;
/** Later deadlines are the data path's alone: timers of Node reach 2^31 ms. */
const LONGEST_TIMER_NS = 2 ** 31 * 1e6;

/** One gRPC call on its HTTP/2 stream: messages in, with back-pressure; messages, a status, or both out. */
export class ServerCall implements StreamEvents {
  readonly headers: IncomingHttpHeaders;
  readonly deadlineNs: number;
  readonly #stream: ServerHttp2Stream;
  readonly #context: CallContext;
  readonly #method: Method;
  readonly #encoding: MessageEncoding | undefined;
  readonly #reader: MessageReader;
  readonly #handler: CallHandler;
  readonly #timer: ClockTimer | undefined;
  #trailers: Readonly<Record<string, string>> = OK_TRAILERS;
  #messages = 0;
  #paused = false;
  #inflating = false;
  #delivering = false;
  #allReceived = false;
  #halfClosed = false;
  #ended = false;
  #failure: ServingError | undefined;
  readonly #watched: WatchedCall | undefined;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    method: Method,
    context: CallContext,
    deadlineNs: number,
    encoding: MessageEncoding | undefined,
  ) {
    this.#stream = stream;
    this.headers = headers;
    this.#method = method;
    this.#context = context;
    this.deadlineNs = deadlineNs;
    this.#encoding = encoding;
    this.#reader = new MessageReader(context.maxMessageBytes, method.pooled ? context.memory : undefined);
    this.#handler = method.start(this);
    const agent = headers['user-agent'] ?? '';
    this.#watched = method.watch?.call?.('grpc', 'POST', method.path, agent, addressOfPeer(this.peer));
    if (deadlineNs !== NO_DEADLINE && deadlineNs - context.clock.nowNs() < LONGEST_TIMER_NS)
      this.#timer = context.clock.setTimer(deadlineNs, () => this.#expire());
    attach(stream, this);
  }

  /** `address:port` of the other end of the connection; `unknown` where it is gone. */
  get peer(): string {
    const socket = this.#stream.session?.socket;
    return socket?.remoteAddress === undefined ? 'unknown' : `${socket.remoteAddress}:${socket.remotePort}`;
  }

  /** True once the call was answered, failed or cancelled: nothing can be sent. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The error that it was ended with; undefined where it was not, or was not yet. */
  get failure(): ServingError | undefined {
    return this.#failure;
  }

  /** How to compress answers: as the client said it compresses its own messages, where it accepts that. */
  get answerEncoding(): MessageEncoding | undefined {
    return replyEncoding(this.headers, this.#encoding);
  }

  /** The one answer of a call and its end, as a sealed frame, `beside` as trailers, `before` as headers. No effect once the call has ended. */
  answer(frame: Buffer, beside?: Readonly<Record<string, string>>, before?: Readonly<Record<string, string>>): void {
    if (!this.#end()) return;
    this.#watched?.ended(0, frame.byteLength - FRAME_HEAD_BYTES);
    if (beside !== undefined) this.#trailers = { ...OK_TRAILERS, ...beside };
    const encoding = this.answerEncoding;
    if (encoding === undefined) this.#send(frame, undefined, before);
    else {
      compressAnswer(encoding, frame.subarray(FRAME_HEAD_BYTES), (compressed) => {
        if (compressed === undefined) this.#send(frame, undefined, before);
        else this.#send(frameOf(compressed, true), encoding, before);
      });
    }
  }

  /** One message of several, as a sealed frame, compressed by `answerEncoding` or not at all; `flushed` is called when the socket has taken it; not once the call is gone. */
  write(frame: Buffer, flushed: () => void): void {
    if (this.#ended || this.#gone) return;
    if (!this.#stream.headersSent) {
      this.#respond(this.answerEncoding);
      // One for each large message that is not read yet.
      this.#stream.setMaxListeners(0);
    }
    this.#stream.write(frame, () => {
      read();
      flushed();
    });
    const read = this.#context.unread.watch(this.#stream, frame.byteLength);
  }

  /** Ends the call with OK after what was written. */
  end(): void {
    if (!this.#end()) return;
    this.#watched?.ended(0, 0);
    if (this.#gone) return;
    if (!this.#stream.headersSent) this.#respond(undefined);
    this.#stream.end();
  }

  /** Ends the call with the status of an error, `beside` as further trailers; `request`: which it is. No effect once the call has ended. */
  fail(found: ServingError, beside?: Readonly<Record<string, string>>, request: FailedRequest = {}): void {
    if (!this.#end()) return;
    const error = this.#context.errors?.(found, request) ?? found;
    this.#failure = error;
    this.#watched?.ended(GRPC_CODE_NUMBERS[error.facts.grpc], 0);
    if (this.#gone) return;
    const trailers = { ...statusOf(error), ...beside };
    if (this.#stream.headersSent) {
      this.#trailers = trailers;
      this.#stream.end();
    } else failStream(this.#stream, trailers, this.#allReceived);
  }

  /** No message comes after the one at hand until `resume`. */
  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#deliver();
  }

  taken(chunk: Buffer): void {
    if (this.#ended) return;
    this.#reader.push(chunk);
    this.#deliver();
  }

  received(): void {
    this.#allReceived = true;
    if (!this.#ended) this.#deliver();
  }

  aborted(): void {
    if (!this.#end()) return;
    this.#watched?.ended(GRPC_CODE_NUMBERS[ERRORS.CLIENT_CANCELLED.grpc], 0);
    this.#handler.cancelled();
  }

  trailersWanted(): void {
    this.#stream.sendTrailers(this.#trailers);
    stopReceiving(this.#stream, this.#allReceived);
  }

  get #gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  /** False where it has ended before. */
  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#timer?.clear();
    this.#reader.release();
    // What still comes is read and dropped: a stream that is not read to its end is never closed.
    if (this.#paused || this.#inflating) this.#stream.resume();
    return true;
  }

  /** Hands over what is there, message by message, for as long as the handler wants more. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (!this.#paused && !this.#inflating && !this.#ended) {
        const message = this.#reader.next();
        if (message === undefined) break;
        if (this.#reader.compressed) this.#inflate(message);
        else this.#handOver(message, this.#reader.lease);
      }
      if (this.#allReceived && !this.#paused && !this.#inflating && !this.#ended) this.#halfClose();
    } catch (thrown) {
      this.#refuse(thrown);
    }
    this.#delivering = false;
    if (this.#paused || this.#inflating || this.#stream.readableFlowing !== false) return;
    this.#stream.resume();
  }

  #handOver(message: Buffer, lease: Lease | undefined): void {
    if (!this.#method.requestStream && this.#messages > 0) {
      lease?.release();
      throw new ServingError('UNSUPPORTED', `${this.#method.path} takes one message, more came`);
    }
    this.#messages++;
    this.#handler.message(message, lease);
  }

  #halfClose(): void {
    if (this.#halfClosed) return;
    this.#halfClosed = true;
    if (this.#reader.insideMessage)
      throw new ServingError('MALFORMED_REQUEST', 'the call ended in the middle of a message');
    if (!this.#method.requestStream && this.#messages === 0)
      throw new ServingError('UNSUPPORTED', `${this.#method.path} takes one message, none came`);
    this.#handler.halfClosed();
  }

  #inflate(message: Buffer): void {
    if (this.#encoding === undefined)
      throw new ServingError('INTERNAL', 'a message is marked as compressed, but the call has no grpc-encoding');
    const { maxMessageBytes, offload } = this.#context;
    const inflated = inflateMessage(this.#encoding, message, maxMessageBytes, offload);
    if (Buffer.isBuffer(inflated)) {
      this.#handOver(inflated, undefined);
      return;
    }
    this.#inflating = true;
    this.#stream.pause();
    inflated
      .then((bytes) => {
        if (!this.#ended) this.#handOver(bytes, undefined);
      })
      .catch((thrown: unknown) => this.#refuse(thrown))
      .finally(() => {
        this.#inflating = false;
        if (!this.#ended) this.#deliver();
      });
  }

  /** The client broke the protocol: its call ends, whatever is under way. */
  #refuse(thrown: unknown): void {
    const error = thrown instanceof ServingError ? thrown : failureOf(thrown, this.#method.path, this.#context.log);
    this.#method.refused?.(error.reason, this.headers);
    this.#failAndCancel(error);
  }

  #expire(): void {
    this.#failAndCancel(
      new ServingError('DEADLINE_EXCEEDED', 'the deadline of the call passed before it was answered'),
    );
  }

  #failAndCancel(error: ServingError): void {
    if (this.#ended) return;
    this.fail(error);
    this.#handler.cancelled();
  }

  #respond(encoding: MessageEncoding | undefined, before?: Readonly<Record<string, string>>): void {
    const headers = encoding === undefined ? ANSWER_HEADERS : { ...ANSWER_HEADERS, 'grpc-encoding': encoding };
    this.#stream.respond(before === undefined ? headers : { ...headers, ...before }, WITH_TRAILERS);
  }

  #send(frame: Buffer, encoding: MessageEncoding | undefined, before?: Readonly<Record<string, string>>): void {
    if (this.#gone) return;
    this.#respond(encoding, before);
    this.#stream.end(frame);
    this.#context.unread.watch(this.#stream, frame.byteLength);
  }
}
