import {
  type InferenceHandle,
  type InferenceResponse,
  type Lease,
  type LogFields,
  NO_DEADLINE,
  type RequestTrace,
  type RouteMark,
  ServingError,
  toServingError,
} from '../../../core/index.js';
import { addressText } from '../client-address.js';
import { explained } from '../explain.js';
import { AT_ONCE_BYTES } from '../reply-memory.js';
import { aboutRequest, TRACERESPONSE } from '../request-trace.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import { BodyBuffer, bodyTooLarge } from './body-buffer.js';
import { Exchange } from './exchange.js';
import type { HttpState } from './http-options.js';
import { compressReply, type ReplyEncoding, replyEncoding } from './reply-compression.js';
import { type RequestHeaders, readHeaders } from './request-headers.js';

/** Takes one inference request: reads its head at once, then its body as it comes. */
export function startExchange(
  exchange: BodyExchange,
  server: HttpState,
  response: HttpResponse,
  request: HttpRequest,
): void {
  try {
    exchange.begin(response, request);
  } catch (thrown) {
    if (exchange.framed) exchange.refuse(toServingError(thrown), false);
    else {
      server.onRefused(toServingError(thrown).reason);
      exchange.watchCall(request);
      exchange.refuseFraming(thrown);
    }
  }
}

/**
 * One inference over HTTP, whatever form its body has: head and body in, limits, decompression, trace, the headers of its answer
 * and its compression. What the body means, and how the answer is written, is for who derives from it.
 */
export abstract class BodyExchange extends Exchange<HttpState> {
  /** The head is understood: what follows the body is the next request. */
  framed = false;
  protected trace: RequestTrace | undefined;
  protected handle: InferenceHandle | undefined;
  protected requestId = '';
  #body: BodyBuffer | undefined;
  #contentEncoding = '';
  #acceptEncoding = '';
  #explain = false;
  /** Of work on pool threads; undefined while there is none. */
  #offloaded: AbortController | undefined;

  /**
   * Reads of the head what it wants of it, before the library takes `request` back; gives the name of the model, empty where the
   * path has none. Throws what refuses the request by its head alone.
   */
  protected abstract readHead(
    headers: RequestHeaders,
    receivedNs: number,
    request: HttpRequest,
    response: HttpResponse,
  ): string;

  /** The whole body, decompressed: decodes it and hands the request in, now or later. What it throws refuses the request. */
  protected abstract take(body: BodyBuffer): void;

  /** A body that came in one piece and is not kept. False: it is wanted as any other. */
  protected abstract takeAtOnce(chunk: ArrayBuffer, body: BodyBuffer): boolean;

  /** Throws what refuses the request by its head alone; the body is then read and dropped by the library. */
  begin(response: HttpResponse, request: HttpRequest): void {
    const { server } = this;
    const receivedNs = server.clock.nowNs();
    const headers = readHeaders(request, server.tenantHeader);
    this.framed = true;
    if (server.watch !== undefined) {
      this.trace = server.watch.begin('http', receivedNs, headers.traceparent, headers.tracestate, headers.userAgent);
      if (this.trace !== undefined && server.watch.wantsClient)
        this.trace.client = addressText(new Uint8Array(response.getRemoteAddress()));
    }
    if (server.inFlight.draining)
      throw new ServingError('DRAINING', 'the server is draining and takes no new requests');
    const { contentLength, headerLength } = headers;
    this.#contentEncoding = headers.contentEncoding;
    this.#acceptEncoding = headers.acceptEncoding;
    this.#explain = headers.explain;
    const model = this.readHead(headers, receivedNs, request, response);
    if (this.trace !== undefined) this.trace.model = model;
    if (contentLength > server.maxInputBytes) throw bodyTooLarge(server.maxInputBytes, contentLength);
    if (this.#contentEncoding !== '') this.#contentEncoding = requestEncoding(this.#contentEncoding);
    const body = new BodyBuffer({
      budget: server.budget,
      memory: this.#offThread(headerLength, contentLength) ? undefined : server.memory,
      maxBytes: server.maxInputBytes,
      declaredBytes: contentLength,
      jsonBytes: headerLength ?? 0,
    });
    this.#body = body;
    response.onData((chunk, isLast) => {
      if (!this.open) return;
      try {
        if (isLast && body.empty && this.#contentEncoding === '' && this.takeAtOnce(chunk, body)) return;
        body.append(chunk, isLast);
        if (this.trace !== undefined) this.trace.requestBytes += chunk.byteLength;
        if (!isLast) return;
        // Settles by itself: every failure is answered inside.
        if (this.#contentEncoding !== '') void this.#inflate(body);
        else this.take(body);
      } catch (thrown) {
        this.refuse(toServingError(thrown), !isLast && contentLength < 0);
      }
    });
  }

  /** Answers an error that this side found. `last`: closes the connection, e.g. an endless body is not waited for. */
  refuse(error: ServingError, last: boolean): void {
    this.server.onRefused(error.reason);
    this.release();
    this.refuseWith(error, last, undefined);
  }

  failed(error: ServingError, mark?: RouteMark): void {
    this.release();
    this.refuseWith(error, false, mark);
  }

  /**
   * Sends the encoded answer with the headers of every answer, after those of its form. `response`: whose way and figures they
   * tell; where an answer has several, of one of them.
   */
  protected send(
    response: InferenceResponse,
    contentType: string,
    body: Uint8Array,
    lease: Lease | undefined,
    headers: string[],
    status?: string,
  ): void {
    if (this.#explain) headers.push(...explained(response));
    const traced = this.trace?.answering(response, this.#explain);
    if (traced !== undefined) headers.push(TRACERESPONSE, traced);
    const encoding = replyEncoding(this.#acceptEncoding, body.byteLength);
    if (encoding === undefined) {
      this.answer({ status, contentType, body, lease, headers });
      this.trace?.ended(body.byteLength);
    } else void this.#sendCompressed(encoding, status, contentType, body, lease, headers);
  }

  /** The headers of an answer whose pieces are sent when they are there, told of its first. */
  protected headersOf(response: InferenceResponse): readonly string[] {
    const headers = [...response.mark.headers];
    const traced = this.trace?.answering(response, this.#explain);
    if (traced !== undefined) headers.push(TRACERESPONSE, traced);
    return headers;
  }

  /** An error after the head of an answer was sent: logged and told to who watches; as its client shall read it. */
  protected failedLate(error: ServingError, mark: RouteMark | undefined): ServingError {
    this.logFailure(error);
    this.trace?.failing(error, mark, false);
    return this.server.errors?.(error, this.failedRequest()) ?? error;
  }

  /** The client went away: there is an answer, and nobody to send it to. */
  protected unsent(response: InferenceResponse): void {
    this.trace?.answering(response, this.#explain);
    this.trace?.ended(0);
  }

  protected override about(): LogFields {
    return aboutRequest(this.requestId, this.trace);
  }

  protected override gone(): void {
    this.#offloaded?.abort();
    if (this.handle === undefined) this.release();
    else this.handle.cancel();
  }

  /** When the client goes away, work on pool threads ends by it. */
  protected signal(): AbortSignal {
    this.#offloaded ??= new AbortController();
    return this.#offloaded.signal;
  }

  /** What was read of the body is not needed any more. Idempotent. */
  protected release(): void {
    this.#body?.release();
    this.#body = undefined;
  }

  protected deadlineNs(timeoutMs: number | undefined, receivedNs: number): number {
    return timeoutMs === undefined ? NO_DEADLINE : receivedNs + timeoutMs * 1e6;
  }

  protected refuseWith(error: ServingError, last: boolean, mark: RouteMark | undefined): void {
    const traced = this.trace?.failing(error, mark, this.#explain);
    this.fail(error, last, traced === undefined ? mark?.headers : [...(mark?.headers ?? []), TRACERESPONSE, traced]);
    this.trace?.ended(0);
  }

  async #inflate(body: BodyBuffer): Promise<void> {
    try {
      const input = {
        encoding: this.#contentEncoding as 'gzip' | 'deflate',
        body: body.ownedBytes(),
        maxBytes: this.server.maxInputBytes,
      };
      const plain = await this.server.offload.run('decompress', input, this.signal());
      if (!this.open) return;
      body.replace(plain);
      this.take(body);
    } catch (thrown) {
      this.refuse(toServingError(thrown), false);
    }
  }

  async #sendCompressed(
    encoding: ReplyEncoding,
    status: string | undefined,
    contentType: string,
    body: Uint8Array,
    lease: Lease | undefined,
    headers: string[],
  ): Promise<void> {
    try {
      // A small one lies where the next reply will.
      const source = body.byteLength <= AT_ONCE_BYTES ? Buffer.from(body) : body;
      const compressed = await compressReply(encoding, source).finally(() => lease?.release());
      headers.push('Content-Encoding', encoding, 'Vary', 'Accept-Encoding');
      this.answer({ status, contentType, body: compressed, headers });
      this.trace?.ended(compressed.byteLength);
    } catch (thrown) {
      this.refuseWith(toServingError(thrown), false, undefined);
    }
  }

  /** Whether a body goes to another thread, which takes its whole buffer. */
  #offThread(headerLength: number | undefined, contentLength: number): boolean {
    return (
      this.#contentEncoding !== '' || (headerLength === undefined && contentLength >= this.server.offloadJsonBytes)
    );
  }
}

function requestEncoding(header: string): string {
  const encoding = header.trim().toLowerCase();
  if (encoding === 'gzip' || encoding === 'deflate') return encoding;
  if (encoding === 'identity') return '';
  throw new ServingError(
    'UNSUPPORTED_MEDIA',
    `the content encoding '${encoding.slice(0, 64).replace(/[^\x21-\x7e]/g, '?')}' is not supported: expected gzip, deflate or identity`,
  );
}
