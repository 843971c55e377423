import { randomUUID } from 'node:crypto';
import {
  type FailedRequest,
  type InferenceReply,
  type InferenceResponse,
  type Lease,
  toServingError,
} from '../../../core/index.js';
import {
  answerEvent,
  attachV2Json,
  checkEventHeaders,
  type DecodedRequest,
  type DetachedBody,
  decodeInferBody,
  type EventMode,
  encodeInferReply,
  eventMode,
  type InferBodyOptions,
  openEvent,
  type ReplyFormat,
} from '../../codec/index.js';
import { RequestMemory } from '../client-memory/request-memory.js';
import { joinTrace } from '../request-trace.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import type { BodyBuffer } from './body-buffer.js';
import { BodyExchange, startExchange } from './body-exchange.js';
import { callerTraits } from './caller-traits.js';
import type { HttpState } from './http-options.js';
import { modelPath } from './model-path.js';
import type { RequestHeaders } from './request-headers.js';

const JSON_TYPE = 'application/json';
const BINARY_TYPE = 'application/octet-stream';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Takes one inference request of the V2 protocol. */
export function startInfer(server: HttpState, response: HttpResponse, request: HttpRequest, versioned: boolean): void {
  startExchange(new InferExchange(server, response, versioned), server, response, request);
}

/** One inference of the V2 protocol: body in, decoded, handed to the data path, its reply encoded while the lane is held. */
class InferExchange extends BodyExchange implements InferenceReply {
  readonly #versioned: boolean;
  #options: Writable<InferBodyOptions> | undefined;
  #format: ReplyFormat | undefined;
  /** Tensors in memory of the client; undefined where the server takes none. */
  #placed: RequestMemory | undefined;
  /** The request is a CloudEvent, and so is to be its answer. */
  #event: EventMode | undefined;

  constructor(server: HttpState, response: HttpResponse, versioned: boolean) {
    super(server, response);
    this.#versioned = versioned;
  }

  done(response: InferenceResponse): void {
    try {
      const { allowNan, replies } = this.server;
      const placed = this.#placed;
      const shown = placed === undefined || !this.open ? response : placed.answered(response);
      const options = { allowNan, room: replies, places: placed?.places };
      const encoded = this.open ? encodeInferReply(shown, this.#format as ReplyFormat, options) : undefined;
      this.release();
      if (encoded === undefined) {
        this.unsent(response);
        return;
      }
      const { body, headerLength } = encoded;
      const lease = replies.takeLease();
      const headers = [...response.mark.headers];
      if (headerLength !== undefined) headers.push('Inference-Header-Content-Length', String(headerLength));
      const contentType = headerLength === undefined ? JSON_TYPE : BINARY_TYPE;
      if (this.#event === undefined) this.send(response, contentType, body, lease, headers);
      else this.#sendEvent(this.#event, response, contentType, body, lease, headers);
    } catch (thrown) {
      this.failed(toServingError(thrown));
    }
  }

  protected override readHead(
    headers: RequestHeaders,
    receivedNs: number,
    request: HttpRequest,
    response: HttpResponse,
  ): string {
    const { server } = this;
    const { model, version } = modelPath(request, this.#versioned);
    if (headers.event !== undefined) this.#readEvent(request);
    this.#options = {
      model,
      version,
      headerLength: headers.headerLength,
      allowNan: server.allowNan,
      receivedNs,
      nowNs: server.nowNs,
      deadlineNs: this.deadlineNs(headers.timeoutMs, receivedNs),
      tenantHeader: headers.tenant,
      criticalityHeader: headers.criticality,
      caller: callerTraits(server.inference.wanted, server.forward, request, response),
      lease: undefined,
      placed: this.#requestMemory(),
    };
    return model;
  }

  /** Nothing of such a body is looked at after it is decoded: what comes of JSON has memory of its own. */
  protected override takeAtOnce(chunk: ArrayBuffer, body: BodyBuffer): boolean {
    const options = this.#options as InferBodyOptions;
    if (
      chunk.byteLength >= this.server.offloadJsonBytes ||
      options.headerLength !== undefined ||
      this.#event !== undefined
    )
      return false;
    body.count(chunk);
    if (this.trace !== undefined) this.trace.requestBytes = chunk.byteLength;
    this.#start(decodeInferBody(new Uint8Array(chunk), options));
    return true;
  }

  protected override failedRequest(): FailedRequest {
    return { model: this.#options?.model ?? '', id: this.requestId };
  }

  protected override take(body: BodyBuffer): void {
    const options = this.#options as Writable<InferBodyOptions>;
    if (this.#event === 'structured') {
      this.#takeEvent(body.bytes(), options);
      return;
    }
    if (this.#isLargeJson(options.headerLength, body.bytes())) {
      // Settles by itself: every failure is answered inside.
      void this.#decodeOffThread(body.ownedBytes(), options);
    } else {
      options.lease = body.lease;
      this.#start(decodeInferBody(body.bytes(), options));
    }
  }

  protected override release(): void {
    super.release();
    this.#placed?.release();
  }

  #requestMemory(): RequestMemory | undefined {
    const { clientMemory, budget, maxInputBytes } = this.server;
    if (clientMemory !== undefined) this.#placed = new RequestMemory(clientMemory, budget, maxInputBytes);
    return this.#placed;
  }

  #start(decoded: DecodedRequest): void {
    this.#format = decoded.format;
    this.requestId = decoded.request.id;
    joinTrace(decoded.request, this.trace);
    this.handle = this.server.inference.infer(decoded.request, this);
  }

  async #decodeOffThread(body: Uint8Array, options: InferBodyOptions): Promise<void> {
    try {
      const { allowNan, headerLength } = options;
      const input = { body, jsonBytes: headerLength ?? body.byteLength, allowNan, binaryByDefault: false };
      const detached = await this.server.offload.run('decodeV2Json', input, this.signal());
      if (this.open) this.#start(attachV2Json(detached as DetachedBody, options));
    } catch (thrown) {
      this.refuse(toServingError(thrown), false);
    }
  }

  /** Throws where the event is not as CloudEvents 1.0 has it. */
  #readEvent(request: HttpRequest): void {
    this.#event = eventMode(request.getHeader('content-type'), request.getHeader('ce-specversion'));
    if (this.#event === 'binary') checkEventHeaders((name) => request.getHeader(name));
  }

  /** An event as JSON: what it has inside is decoded as a body is. */
  #takeEvent(body: Uint8Array, options: Writable<InferBodyOptions>): void {
    const { data } = openEvent(body);
    if (this.#isLargeJson(options.headerLength, data)) void this.#decodeOffThread(new Uint8Array(data), options);
    else this.#start(decodeInferBody(new Uint8Array(data), options));
  }

  #sendEvent(
    mode: EventMode,
    response: InferenceResponse,
    contentType: string,
    body: Uint8Array,
    lease: Lease | undefined,
    headers: readonly string[],
  ): void {
    const { model } = response.version;
    const event = answerEvent(mode, { model, id: randomUUID(), timeMs: this.server.clock.wallMs(), contentType, body });
    this.send(response, event.contentType, event.body, lease, [...headers, ...event.headers]);
  }

  /** Whether decoding a body here would hold the event loop too long. */
  #isLargeJson(headerLength: number | undefined, body: Uint8Array): boolean {
    return (headerLength ?? body.byteLength) >= this.server.offloadJsonBytes && headerLength !== 0;
  }
}
