import {
  type InferenceHandle,
  type InferenceReply,
  type InferenceResponse,
  NO_DEADLINE,
  ServingError,
  toServingError,
} from '../../../core/index.js';
import {
  decodeStreamFrame,
  encodeStreamError,
  encodeStreamReply,
  type ReplyFormat,
  type StreamFrame,
} from '../../codec/index.js';
import type { HttpState } from '../http/http-options.js';
import type { ModelPath } from '../http/model-path.js';
import type { WebSocket } from '../uws/uws-types.js';

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
    const receivedNs = server.clock.nowNs();
    const { byteLength } = message;
    let frame: StreamFrame | undefined;
    try {
      if (this.#draining) throw new ServingError('DRAINING', 'the server is draining and takes no new requests');
      server.budget.acquire(byteLength);
    } catch (thrown) {
      this.#refuse('', thrown);
      return;
    }
    try {
      frame = decodeStreamFrame(new Uint8Array(message.slice(0)), isBinary, {
        ...this.#path,
        allowNan: server.allowNan,
        deadlineNs: NO_DEADLINE,
        receivedNs,
        nowNs: server.nowNs,
      });
      if (this.#calls.size >= server.maxStreamRequests) {
        throw new ServingError(
          'RATE_LIMITED',
          `this connection has ${this.#calls.size} requests in flight, at most ${server.maxStreamRequests} are allowed`,
        );
      }
    } catch (thrown) {
      server.budget.release(byteLength);
      this.#refuse(frame?.request.id ?? '', thrown);
      return;
    }
    const call = new StreamCall(this, frame.request.id, frame.format, byteLength);
    this.#calls.add(call);
    call.handle = server.inference.infer(frame.request, call);
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
        this.#send(encodeStreamReply(response, call.format, { allowNan: this.server.allowNan }));
      } catch (thrown) {
        this.#refuse(call.id, thrown);
      }
    }
    this.#forget(call);
  }

  refuse(call: StreamCall, error: ServingError): void {
    this.#refuse(call.id, error);
    this.#forget(call);
  }

  #forget(call: StreamCall): void {
    this.server.budget.release(call.bytes);
    this.#calls.delete(call);
    this.#endWhenDrained();
  }

  #refuse(id: string, thrown: unknown): void {
    const error = toServingError(thrown);
    if (error.facts.logLevel === 'error') this.server.log.error('stream request failed', { reason: error.reason, cause: error.cause });
    if (this.#open) this.#send(encodeStreamError(error, id));
  }

  /** A client that reads too slowly is closed by the library at the backlog's bound, and told nothing more. */
  #send({ data, binary }: { readonly data: Uint8Array; readonly binary: boolean }): void {
    this.#socket.send(data, binary);
  }

  #endWhenDrained(): void {
    if (this.#draining && this.#open && this.#calls.size === 0) this.#socket.end(1001, 'the server is going away');
  }
}

/** One request of a connection. */
class StreamCall implements InferenceReply {
  readonly id: string;
  readonly format: ReplyFormat;
  /** Of its frame, taken from the server's budget. */
  readonly bytes: number;
  handle: InferenceHandle | undefined;
  readonly #connection: StreamConnection;

  constructor(connection: StreamConnection, id: string, format: ReplyFormat, bytes: number) {
    this.#connection = connection;
    this.id = id;
    this.format = format;
    this.bytes = bytes;
  }

  done(response: InferenceResponse): void {
    this.#connection.answer(this, response);
  }

  failed(error: ServingError): void {
    this.#connection.refuse(this, error);
  }
}
