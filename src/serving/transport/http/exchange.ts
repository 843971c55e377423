import {
  ERRORS,
  type FailedRequest,
  type Lease,
  type LogFields,
  type ServingError,
  toServingError,
  type WatchedCall,
} from '../../../core/index.js';
import { encodeError } from '../../codec/index.js';
import { addressText } from '../client-address.js';
import { AT_ONCE_BYTES } from '../reply-memory.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import type { HttpState } from './http-options.js';
import { statusLine } from './status-line.js';

/** The reply in the making; one at a time, since writing is synchronous. */
export interface Reply {
  /** Undefined = 200. */
  readonly status?: string | undefined;
  readonly contentType: string;
  /** Read until it has left; up to `AT_ONCE_BYTES` only until `answer` returns. */
  readonly body: Uint8Array | string;
  /** What the body lies in: the exchange's to release when it has left. */
  readonly lease?: Lease | undefined;
  /** Pairs of name and value. */
  readonly headers?: readonly string[] | undefined;
  /** Close the connection after the reply. */
  readonly last?: boolean | undefined;
}

/** What the exchanges of a server share. */
export type ExchangeState = Pick<HttpState, 'budget' | 'inFlight' | 'log' | 'watch'> &
  Partial<Pick<HttpState, 'errors' | 'cors'>>;

/** The reason of an error, and when to try again. */
function headersOf({ reason, retryAfterMs }: ServingError, more: readonly string[] | undefined): string[] {
  const headers = ['x-penstock-reason', reason];
  if (retryAfterMs !== undefined) headers.push('Retry-After', String(Math.ceil(retryAfterMs / 1000)));
  if (more !== undefined) headers.unshift(...more);
  return headers;
}

const NO_CONTENT = statusLine(204);

let writer: Exchange;
let written: Reply;
// The library calls this back at once; a module-level function saves a closure a request.
function writeCorked(): void {
  writer.write(written);
}

/**
 * One request and its one answer. Counted as in flight from construction until the answer has left or the client has
 * gone. After that every call on it is without effect: the library's response object must not be touched any more.
 */
export class Exchange<State extends ExchangeState = ExchangeState> {
  protected readonly server: State;
  readonly #response: HttpResponse;
  readonly #headOnly: boolean;
  #open = true;
  #answered = false;
  #countedBytes = 0;
  #pieceBytes = 0;
  #lease: Lease | undefined;
  #call: WatchedCall | undefined;

  constructor(server: State, response: HttpResponse, headOnly = false) {
    this.server = server;
    this.#response = response;
    this.#headOnly = headOnly;
    server.inFlight.enter();
    response.onAborted(() => this.#abort());
  }

  /** Whether an answer is still wanted. */
  get open(): boolean {
    return this.#open && !this.#answered;
  }

  /** Has its answer told to who watches calls. Inside the handler: the library takes the request back when that returns. */
  watchCall(request: HttpRequest): void {
    const { watch } = this.server;
    if (watch?.call === undefined) return;
    const client = addressText(new Uint8Array(this.#response.getRemoteAddress()));
    const method = request.getMethod().toUpperCase();
    this.#call = watch.call('http', method, request.getUrl(), request.getHeader('user-agent'), client);
  }

  /** Sends the answer, once; later answers are dropped. */
  answer(reply: Reply): void {
    if (!this.open) {
      reply.lease?.release();
      return;
    }
    this.#answered = true;
    this.#lease = reply.lease;
    writer = this;
    written = reply;
    this.#response.cork(writeCorked);
  }

  /** Sends an error in the protocol's form. Foreign errors are logged with their cause and shown as INTERNAL. */
  fail(thrown: unknown, last = false, headers?: readonly string[]): void {
    const error = toServingError(thrown);
    this.logFailure(error);
    if (!this.open) return;
    const shown = this.server.errors?.(error, this.failedRequest()) ?? error;
    // Under overload nearly every answer is one: fields one by one make a quarter of the garbage that spreads do.
    const { status, contentType, body } = this.refusal(shown);
    this.answer({ status, contentType, body, headers: headersOf(error, headers), last });
  }

  /** Those that are the server's. */
  protected logFailure({ facts, reason, message, cause }: ServingError): void {
    if (facts.logLevel === 'error')
      this.server.log.error('request failed', { reason, message, ...this.about(), cause });
  }

  /**
   * Refuses a request whose end is in doubt, so that nothing behind it is taken for the next one. One turn later: while
   * an answer is due, the library closes the connection at whatever else the same packet holds, but it would serve that
   * after an answer, closing or not.
   */
  refuseFraming(thrown: unknown): void {
    setImmediate(() => this.fail(thrown, true));
  }

  /** The answer to an error, in the form of V2. */
  protected refusal(error: ServingError): Pick<Reply, 'status' | 'contentType' | 'body'> {
    return { status: statusLine(error.facts.http), contentType: 'application/json', body: encodeError(error) };
  }

  /** For owners that do not derive from this class: called when the client went away before its answer. */
  onGone: (() => void) | undefined;

  /** Which request it is, for the log. */
  protected about(): LogFields {
    return {};
  }

  /** Which request it is, for the words of an error. */
  protected failedRequest(): FailedRequest {
    return {};
  }

  /** Called when the client went away before its answer. */
  protected gone(): void {
    this.onGone?.();
  }

  /** For the cork callback only. */
  write(reply: Reply): void {
    const response = this.#response;
    const { status, headers, body } = reply;
    // The library closes by itself on `Connection: close` of the client; this is our own wish.
    const close = reply.last === true || this.server.inFlight.draining;
    if (status !== undefined) response.writeStatus(status);
    response.writeHeader('Content-Type', reply.contentType);
    this.server.cors?.write(response);
    if (headers !== undefined) {
      for (let i = 0; i < headers.length; i += 2) response.writeHeader(headers[i] as string, headers[i + 1] as string);
    }
    const bodyBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
    this.#call?.ended(status === undefined ? 200 : Number.parseInt(status, 10), bodyBytes);
    if (status === NO_CONTENT) {
      // An answer that can have no body has no length of one either (RFC 9110, 8.6); `undefined` would be one to the library.
      if (close) response.writeHeader('Connection', 'close');
      response.endWithoutBody();
      this.#end();
    } else if (this.#headOnly) {
      response.endWithoutBody(bodyBytes, close);
      this.#end();
    } else if (bodyBytes <= AT_ONCE_BYTES) {
      response.end(body, close);
      this.#end();
    } else {
      if (close) response.writeHeader('Connection', 'close');
      this.#stream(typeof body === 'string' ? Buffer.from(body) : body);
    }
  }

  /**
   * Begins an answer that is sent piece by piece, status 200. `writable`: the client has read what it was behind with (`writePiece`). Only
   * while the exchange is open, as the other two.
   */
  protected beginPieces(contentType: string, headers: readonly string[], writable: () => void): void {
    const response = this.#response;
    response.onWritable(() => {
      if (this.open) writable();
      return true;
    });
    response.cork(() => {
      response.writeHeader('Content-Type', contentType);
      this.server.cors?.write(response);
      for (let i = 0; i < headers.length; i += 2) response.writeHeader(headers[i] as string, headers[i + 1] as string);
    });
  }

  /** False: the client is behind; the bytes are sent all the same. */
  protected writePiece(bytes: Uint8Array): boolean {
    let fits = true;
    this.#response.cork(() => {
      fits = this.#response.write(bytes);
    });
    this.#pieceBytes += bytes.byteLength;
    return fits;
  }

  protected endPieces(): void {
    this.#answered = true;
    this.#call?.ended(200, this.#pieceBytes);
    this.#response.cork(() => this.#response.end());
    this.#end();
  }

  /** The library takes what fits into the socket; the rest is offered again when the client has read. */
  #stream(body: Uint8Array): void {
    const response = this.#response;
    const totalBytes = body.byteLength;
    const [, finished] = response.tryEnd(body, totalBytes);
    if (finished) {
      this.#end();
      return;
    }
    this.#countedBytes = totalBytes;
    this.server.budget.count(totalBytes);
    response.onWritable((offset) => {
      const [ok, done] = response.tryEnd(body.subarray(offset), totalBytes);
      if (done) this.#end();
      return ok;
    });
  }

  #abort(): void {
    if (!this.#open) return;
    const wanted = !this.#answered;
    if (wanted) this.#call?.ended(ERRORS.CLIENT_CANCELLED.http, 0);
    this.#end();
    if (wanted) this.gone();
  }

  #end(): void {
    this.#open = false;
    this.server.budget.release(this.#countedBytes);
    this.#countedBytes = 0;
    this.#lease?.release();
    this.#lease = undefined;
    this.server.inFlight.leave();
  }
}
