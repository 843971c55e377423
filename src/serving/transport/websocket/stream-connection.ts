import {
  type InferenceHandle,
  type InferenceReply,
  type InferenceResponse,
  type Lease,
  type LeaseSource,
  NO_DEADLINE,
  ServingError,
  toServingError,
} from '../../../core/index.js';
import {
  attachStreamFrame,
  bytesBeforeTensors,
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
import type { HttpState } from '../http/http-options.js';
import type { ModelPath } from '../http/model-path.js';
import type { WebSocket } from '../uws/uws-types.js';

/** Where a large frame's id is looked for. */
const ID_WITHIN_BYTES = 4096;
/** Where the first tensor of a binary frame shall begin. */
const ALIGNMENT = 64;

/** Frames compressed where the client can inflate them: below it is no gain, above the socket's thread would stand still. */
const COMPRESSED_FROM_BYTES = 1024;
const COMPRESSED_TO_BYTES = 1024 * 1024;

/** One WebSocket: requests in, each answered by a frame with its id, in the order they finish. */
export class StreamConnection {
  readonly server: HttpState;
  readonly #socket: WebSocket<unknown>;
  readonly #path: ModelPath;
  readonly #calls = new Set<StreamCall>();
  #open = true;
  #draining = false;

  constructor(server: HttpState, socket: WebSocket<unknown>, path: ModelPath) {
    this.server = server;
    this.#socket = socket;
    this.#path = path;
  }

  /** Takes one frame; its memory is the library's and gone when this returns. Never throws. */
  receive(message: ArrayBuffer, isBinary: boolean): void {
    const { server } = this;
    const options: StreamFrameOptions = {
      ...this.#path,
      allowNan: server.allowNan,
      deadlineNs: NO_DEADLINE,
      receivedNs: server.clock.nowNs(),
      nowNs: server.nowNs,
    };
    const call = new StreamCall(this, message.byteLength);
    try {
      if (this.#draining) throw new ServingError('DRAINING', 'the server is draining and takes no new requests');
      server.budget.acquire(call.bytes);
    } catch (thrown) {
      server.onRefused(toServingError(thrown).reason);
      this.#refuse('', thrown);
      return;
    }
    this.#calls.add(call);
    let frame: Uint8Array = new Uint8Array(message);
    try {
      if (this.#isLargeJson(frame, isBinary)) {
        // Settles by itself: every failure is answered inside.
        void this.#decodeOffThread(call, frame, isBinary, options);
        return;
      }
      // What comes of JSON has memory of its own; only binary inputs are views of their frame.
      if (isBinary) frame = call.keep(frame, server.memory);
      this.#start(call, decodeStreamFrame(frame, isBinary, { ...options, lease: call.lease }));
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
    for (const call of this.#calls) call.handle?.cancel();
  }

  /** The answer of a call, encoded while its tensors are valid. */
  answer(call: StreamCall, response: InferenceResponse): void {
    if (this.#open) {
      try {
        const { allowNan, replies } = this.server;
        this.#send(encodeStreamReply(response, call.format as ReplyFormat, { allowNan, room: replies }));
        replies.takeLease()?.release();
      } catch (thrown) {
        this.#refuse(call.id, thrown);
      }
    }
    this.#forget(call);
  }

  refuse(call: StreamCall, thrown: unknown): void {
    this.#refuse(call.id, thrown);
    this.#forget(call);
  }

  /** Decoded before the limit is looked at, so that the refusal names the request. */
  #start(call: StreamCall, frame: StreamFrame): void {
    call.id = frame.request.id;
    call.format = frame.format;
    if (this.#calls.size > this.server.maxStreamRequests) {
      throw new ServingError(
        'RATE_LIMITED',
        `this connection has ${this.#calls.size - 1} requests in flight, at most ${this.server.maxStreamRequests} are allowed`,
      );
    }
    call.handle = this.server.inference.infer(frame.request, call);
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
  ): Promise<void> {
    const abort = new AbortController();
    call.handle = { cancel: () => abort.abort() };
    // The frame goes to the other thread for good: an error can name the request where the id stands before the tensors.
    call.id = streamFrameId(frame.subarray(0, ID_WITHIN_BYTES), isBinary);
    try {
      const input = detachStreamFrame(frame, isBinary, options);
      const detached = (await this.server.offload.run('decodeV2Json', input, abort.signal)) as DetachedBody;
      if (!this.#open) return this.#forget(call);
      this.#start(call, attachStreamFrame(detached, options));
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

  #refuse(id: string, thrown: unknown): void {
    const error = toServingError(thrown);
    if (error.facts.logLevel === 'error')
      this.server.log.error('stream request failed', { reason: error.reason, cause: error.cause });
    if (this.#open) this.#send(encodeStreamError(error, id));
  }

  /**
   * The library has sent or copied the bytes when this returns. A client that reads too slowly is closed by it at the
   * backlog's bound, and told nothing more.
   */
  #send({ data, binary }: OutgoingFrame): void {
    const { byteLength } = data;
    const compress =
      this.server.streamCompression && byteLength >= COMPRESSED_FROM_BYTES && byteLength <= COMPRESSED_TO_BYTES;
    this.#socket.send(data, binary, compress);
  }

  #endWhenDrained(): void {
    if (this.#draining && this.#open && this.#calls.size === 0) this.#socket.end(1001, 'the server is going away');
  }
}

/** One request of a connection. */
class StreamCall implements InferenceReply {
  /** Of its request; empty until that is decoded. */
  id = '';
  format: ReplyFormat | undefined;
  /** Of its frame, taken from the server's budget. */
  readonly bytes: number;
  handle: InferenceHandle | undefined;
  /** What its frame lies in. */
  lease: Lease | undefined;
  readonly #connection: StreamConnection;

  constructor(connection: StreamConnection, bytes: number) {
    this.#connection = connection;
    this.bytes = bytes;
  }

  /** A copy of its frame that stays until `release`, placed so that the first tensor is aligned. */
  keep(frame: Uint8Array, memory: LeaseSource | undefined): Uint8Array {
    const start = (ALIGNMENT - (bytesBeforeTensors(frame) % ALIGNMENT)) % ALIGNMENT;
    this.lease = memory?.lease(start + frame.byteLength);
    if (memory === undefined || this.lease === undefined) return frame.slice();
    const kept = this.lease.bytes.subarray(start, start + frame.byteLength);
    memory.copy(kept, 0, frame);
    return kept;
  }

  release(): void {
    this.lease?.release();
    this.lease = undefined;
  }

  done(response: InferenceResponse): void {
    this.#connection.answer(this, response);
  }

  failed(error: ServingError): void {
    this.#connection.refuse(this, error);
  }
}
