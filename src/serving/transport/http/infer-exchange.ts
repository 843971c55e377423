import {
  type InferenceHandle,
  type InferenceReply,
  type InferenceResponse,
  type Lease,
  type LogFields,
  NO_DEADLINE,
  type RequestTrace,
  type RouteMark,
  ServingError,
  toServingError,
} from '../../../core/index.js';
import {
  attachV2Json,
  type DecodedRequest,
  type DetachedBody,
  decodeInferBody,
  encodeInferReply,
  type InferBodyOptions,
  type ReplyFormat,
} from '../../codec/index.js';
import { addressText } from '../client-address.js';
import { explained } from '../explain.js';
import { AT_ONCE_BYTES } from '../reply-memory.js';
import { aboutRequest, joinTrace, TRACERESPONSE } from '../request-trace.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import { BodyBuffer, bodyTooLarge } from './body-buffer.js';
import { callerTraits } from './caller-traits.js';
import { Exchange } from './exchange.js';
import type { HttpState } from './http-options.js';
import { modelPath } from './model-path.js';
import { compressReply, type ReplyEncoding, replyEncoding } from './reply-compression.js';
import { readHeaders } from './request-headers.js';

const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/octet-stream';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Takes one inference request: reads its head at once, then its body as it comes. */
export function startInfer(server: HttpState, response: HttpResponse, request: HttpRequest, versioned: boolean): void {
  const exchange = new InferExchange(server, response);
  try {
    exchange.begin(response, request, versioned);
  } catch (thrown) {
    if (exchange.framed) exchange.refuse(toServingError(thrown), false);
    else {
      server.onRefused(toServingError(thrown).reason);
      exchange.watchCall(request);
      exchange.refuseFraming(thrown);
    }
  }
}

/** One inference over HTTP: body in, decoded, handed to the data path, its reply encoded while the lane is held. */
class InferExchange extends Exchange<HttpState> implements InferenceReply {
  /** The head is understood: what follows the body is the next request. */
  framed = false;
  #body: BodyBuffer | undefined;
  #options: Writable<InferBodyOptions> | undefined;
  #contentEncoding = '';
  #acceptEncoding = '';
  #explain = false;
  #format: ReplyFormat | undefined;
  #handle: InferenceHandle | undefined;
  #trace: RequestTrace | undefined;
  #requestId = '';
  /** Of work on pool threads; undefined while there is none. */
  #offloaded: AbortController | undefined;

  /** Throws what refuses the request by its head alone; the body is then read and dropped by the library. */
  begin(response: HttpResponse, request: HttpRequest, versioned: boolean): void {
    const { server } = this;
    const receivedNs = server.clock.nowNs();
    const headers = readHeaders(request, server.tenantHeader);
    this.framed = true;
    if (server.watch !== undefined) {
      this.#trace = server.watch.begin('http', receivedNs, headers.traceparent, headers.tracestate, headers.userAgent);
      if (this.#trace !== undefined && server.watch.wantsClient)
        this.#trace.client = addressText(new Uint8Array(response.getRemoteAddress()));
    }
    if (server.inFlight.draining)
      throw new ServingError('DRAINING', 'the server is draining and takes no new requests');
    const { contentLength, timeoutMs } = headers;
    const { model, version } = modelPath(request, versioned);
    if (this.#trace !== undefined) this.#trace.model = model;
    if (contentLength > server.maxInputBytes) throw bodyTooLarge(server.maxInputBytes, contentLength);
    this.#contentEncoding = headers.contentEncoding;
    this.#acceptEncoding = headers.acceptEncoding;
    this.#explain = headers.explain;
    if (this.#contentEncoding !== '') this.#contentEncoding = requestEncoding(this.#contentEncoding);
    this.#options = {
      model,
      version,
      headerLength: headers.headerLength,
      allowNan: server.allowNan,
      receivedNs,
      nowNs: server.nowNs,
      deadlineNs: timeoutMs === undefined ? NO_DEADLINE : receivedNs + timeoutMs * 1e6,
      tenantHeader: headers.tenant,
      criticalityHeader: headers.criticality,
      caller: callerTraits(server.inference.wanted, request, response),
      lease: undefined,
    };
    const body = new BodyBuffer({
      budget: server.budget,
      memory: this.#offThread(headers.headerLength, contentLength) ? undefined : server.memory,
      maxBytes: server.maxInputBytes,
      declaredBytes: contentLength,
      jsonBytes: headers.headerLength ?? 0,
    });
    this.#body = body;
    response.onData((chunk, isLast) => {
      if (!this.open) return;
      try {
        if (isLast && body.empty && this.#readAtOnce(chunk)) {
          body.count(chunk);
          if (this.#trace !== undefined) this.#trace.requestBytes = chunk.byteLength;
          this.#start(decodeInferBody(new Uint8Array(chunk), this.#options as InferBodyOptions));
          return;
        }
        body.append(chunk, isLast);
        if (this.#trace !== undefined) this.#trace.requestBytes += chunk.byteLength;
        if (isLast) this.#complete(body);
      } catch (thrown) {
        this.refuse(toServingError(thrown), !isLast && contentLength < 0);
      }
    });
  }

  /** Answers an error that this side found. `last`: closes the connection, e.g. an endless body is not waited for. */
  refuse(error: ServingError, last: boolean): void {
    this.server.onRefused(error.reason);
    this.#release();
    this.#fail(error, last, undefined);
  }

  done(response: InferenceResponse): void {
    try {
      const { allowNan, replies } = this.server;
      const encoded = this.open
        ? encodeInferReply(response, this.#format as ReplyFormat, { allowNan, room: replies })
        : undefined;
      this.#release();
      if (encoded === undefined) {
        this.#trace?.answering(response, this.#explain);
        this.#trace?.ended(0);
        return;
      }
      const { body } = encoded;
      const lease = replies.takeLease();
      const headers = [...response.mark.headers];
      if (this.#explain) headers.push(...explained(response));
      if (encoded.headerLength !== undefined)
        headers.push('Inference-Header-Content-Length', String(encoded.headerLength));
      const traced = this.#trace?.answering(response, this.#explain);
      if (traced !== undefined) headers.push(TRACERESPONSE, traced);
      const contentType = encoded.headerLength === undefined ? JSON_TYPE : BINARY_TYPE;
      const encoding = replyEncoding(this.#acceptEncoding, body.byteLength);
      if (encoding === undefined) {
        this.answer({ contentType, body, lease, headers });
        this.#trace?.ended(body.byteLength);
      } else void this.#answerCompressed(encoding, contentType, body, lease, headers);
    } catch (thrown) {
      this.failed(toServingError(thrown));
    }
  }

  failed(error: ServingError, mark?: RouteMark): void {
    this.#release();
    this.#fail(error, false, mark);
  }

  protected override about(): LogFields {
    return aboutRequest(this.#requestId, this.#trace);
  }

  protected override gone(): void {
    this.#offloaded?.abort();
    if (this.#handle === undefined) this.#release();
    else this.#handle.cancel();
  }

  #complete(body: BodyBuffer): void {
    const options = this.#options as Writable<InferBodyOptions>;
    if (this.#contentEncoding !== '') {
      // Settles by itself: every failure is answered inside.
      void this.#inflateAndDecode(body, options);
    } else if (this.#isLargeJson(options.headerLength, body.bytes())) {
      void this.#decodeOffThread(body.ownedBytes(), options);
    } else {
      options.lease = body.lease;
      this.#start(decodeInferBody(body.bytes(), options));
    }
  }

  #start(decoded: DecodedRequest): void {
    this.#format = decoded.format;
    this.#requestId = decoded.request.id;
    joinTrace(decoded.request, this.#trace);
    this.#handle = this.server.inference.infer(decoded.request, this);
  }

  async #inflateAndDecode(body: BodyBuffer, options: InferBodyOptions): Promise<void> {
    try {
      const plain = await this.server.offload.run(
        'decompress',
        {
          encoding: this.#contentEncoding as 'gzip' | 'deflate',
          body: body.ownedBytes(),
          maxBytes: this.server.maxInputBytes,
        },
        this.#signal(),
      );
      if (!this.open) return;
      body.replace(plain);
      if (this.#isLargeJson(options.headerLength, plain)) await this.#decodeOffThread(plain, options);
      else this.#start(decodeInferBody(plain, options));
    } catch (thrown) {
      this.refuse(toServingError(thrown), false);
    }
  }

  async #decodeOffThread(body: Uint8Array, options: InferBodyOptions): Promise<void> {
    try {
      const { allowNan, headerLength } = options;
      const input = { body, jsonBytes: headerLength ?? body.byteLength, allowNan, binaryByDefault: false };
      const detached = await this.server.offload.run('decodeV2Json', input, this.#signal());
      if (this.open) this.#start(attachV2Json(detached as DetachedBody, options));
    } catch (thrown) {
      this.refuse(toServingError(thrown), false);
    }
  }

  async #answerCompressed(
    encoding: ReplyEncoding,
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
      this.answer({ contentType, body: compressed, headers });
      this.#trace?.ended(compressed.byteLength);
    } catch (thrown) {
      this.#fail(toServingError(thrown), false, undefined);
    }
  }

  #fail(error: ServingError, last: boolean, mark: RouteMark | undefined): void {
    const traced = this.#trace?.failing(error, mark, this.#explain);
    this.fail(error, last, traced === undefined ? mark?.headers : [...(mark?.headers ?? []), TRACERESPONSE, traced]);
    this.#trace?.ended(0);
  }

  /** Whether decoding a body here would hold the event loop too long. */
  #isLargeJson(headerLength: number | undefined, body: Uint8Array): boolean {
    return (headerLength ?? body.byteLength) >= this.server.offloadJsonBytes && headerLength !== 0;
  }

  /** Whether a body goes to another thread, which takes its whole buffer. */
  #offThread(headerLength: number | undefined, contentLength: number): boolean {
    return (
      this.#contentEncoding !== '' || (headerLength === undefined && contentLength >= this.server.offloadJsonBytes)
    );
  }

  /** Whether nothing of a body is looked at after it is decoded: what comes of JSON has memory of its own. */
  #readAtOnce(body: ArrayBuffer): boolean {
    if (this.#contentEncoding !== '' || body.byteLength >= this.server.offloadJsonBytes) return false;
    return this.#options?.headerLength === undefined;
  }

  #signal(): AbortSignal {
    this.#offloaded ??= new AbortController();
    return this.#offloaded.signal;
  }

  #release(): void {
    this.#body?.release();
    this.#body = undefined;
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
