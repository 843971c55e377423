import { ServingError } from '../../../../core/index.js';
import type { Call } from '../../../codec/index.js';
import { frameOf } from '../framing/frame.js';
import { compressAnswer } from '../framing/message-encoding.js';
import type { CallHandler } from '../framing/method.js';
import type { ServerCall } from '../framing/server-call.js';
import type { OpenStreams } from '../open-streams.js';
import { type JobAnswer, type JobOwner, type JobParts, type Pairs, TextJob } from './text-job.js';
import type { TeiMessage } from './text-methods.js';

interface Slot {
  readonly job: TextJob;
  /** A frame, or what ends the stream; undefined until its job has an outcome. */
  answer: Buffer | { readonly error: ServingError; readonly trailers: Pairs } | undefined;
}

/**
 * A stream of messages with an answer each, in their order, a bounded number in flight. The first that fails ends the stream with its
 * status, when those before it are answered, as in text-embeddings-inference.
 */
export class TextStream implements CallHandler, JobOwner {
  readonly #call: Call;
  readonly #surface: ServerCall;
  readonly #streams: OpenStreams;
  readonly #parts: JobParts;
  readonly #slots: Slot[] = [];
  #unflushed = 0;
  #halfClosed = false;
  #draining = false;
  #ended = false;

  constructor(call: Call, surface: ServerCall, streams: OpenStreams, parts: JobParts) {
    this.#call = call;
    this.#surface = surface;
    this.#streams = streams;
    this.#parts = parts;
    streams.add(this);
  }

  message(bytes: Buffer): void {
    if (this.#ended) return;
    const slot: Slot = { job: new TextJob(this.#parts, this), answer: undefined };
    this.#slots.push(slot);
    if (this.#open >= this.#parts.state.maxStreamRequests) this.#surface.pause();
    slot.job.begin(bytes.byteLength, () => this.#call.decode(bytes) as TeiMessage);
  }

  halfClosed(): void {
    this.#halfClosed = true;
    this.#advance();
  }

  cancelled(): void {
    this.#abandon();
  }

  /** No further messages: ends when all that came are answered. */
  drain(): void {
    this.#draining = true;
    this.#surface.pause();
    this.#advance();
  }

  answered(job: TextJob, { message }: JobAnswer): void {
    const encoding = this.#surface.answerEncoding;
    if (encoding === undefined) this.#settle(job, frameOf(message));
    else
      compressAnswer(encoding, Buffer.from(message.buffer, message.byteOffset, message.byteLength), (compressed) =>
        this.#settle(job, compressed === undefined ? frameOf(message) : frameOf(compressed, true)),
      );
  }

  refused(job: TextJob, error: ServingError, trailers: Pairs): void {
    this.#settle(job, { error, trailers });
  }

  get #open(): number {
    return this.#slots.length + this.#unflushed;
  }

  #settle(job: TextJob, answer: NonNullable<Slot['answer']>): void {
    const slot = this.#slots.find((one) => one.job === job);
    // The stream is over: nobody waits for it.
    if (slot === undefined) return;
    slot.answer = answer;
    this.#advance();
  }

  #advance(): void {
    if (this.#ended) return;
    for (let answer = this.#slots[0]?.answer; answer !== undefined; answer = this.#slots[0]?.answer) {
      this.#slots.shift();
      if (!Buffer.isBuffer(answer)) {
        this.#abandon();
        this.#surface.fail(answer.error, answer.trailers);
        return;
      }
      this.#unflushed++;
      this.#surface.write(answer, () => {
        this.#unflushed--;
        this.#resume();
      });
    }
    if (this.#slots.length > 0) return;
    if (this.#halfClosed) {
      this.#abandon();
      this.#surface.end();
    } else if (this.#draining) {
      this.#abandon();
      this.#surface.fail(new ServingError('DRAINING', 'the server is shutting down'));
    }
  }

  #resume(): void {
    if (!this.#ended && !this.#draining && this.#open < this.#parts.state.maxStreamRequests) this.#surface.resume();
  }

  /** Nobody waits for what is still in flight: its outcomes come back and are dropped. */
  #abandon(): void {
    this.#ended = true;
    this.#streams.delete(this);
    for (const { job } of this.#slots.splice(0)) job.cancel();
  }
}
