import { type ClassifyOptions, classesOf } from './classification.js';
import type { PenstockError } from './client-error.js';
import {
  type GenerateAnswer,
  type GenerateOptions,
  generateAnswer,
  generateBody,
  type PlainInputs,
} from './generate.js';
import { type Call, jsonCall, post, type Reply, send } from './http-call.js';
import { extrasOf, inferMessage, joined, parsed, readAnswer } from './infer-message.js';
import { ModelStream, type StreamOptions } from './model-stream.js';
import type {
  CallOptions,
  ClassScore,
  IndexEntry,
  InferAnswer,
  InferOptions,
  LoadOptions,
  ModelMetadata,
  ModelStatistics,
  ServerMetadata,
} from './protocol.js';
import { type CallDefaults, retried, timeoutOf } from './retry.js';
import { Sequence, type SequenceOptions } from './sequence.js';
import { eventsOf } from './server-events.js';
import type { OpenSocket } from './socket.js';
import { socketParts } from './socket-parts.js';
import { type Parts, streamed } from './streamed.js';
import { type AnyInputs, type AnyOutputs, type InputTensor, wireTensors } from './tensor.js';
import type { TimeLimit } from './time-limit.js';

/** Inputs of any names, each a tensor or left out. */
export type InputsOf<I> = { readonly [K in keyof I]: InputTensor | undefined };

export interface ClientOptions extends CallDefaults {
  /** Go with every request, and in Node with the upgrade of streams: `x-penstock-tenant`, `traceparent` ... */
  readonly headers?: Readonly<Record<string, string>>;
  /** Token for calls that need a right: `load`, `unload`. */
  readonly token?: string;
  /** In place of the global one. */
  readonly fetch?: typeof fetch;
}

const NOT_READY_STATUS = 503;
const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** A client of a gateway over HTTP; `stream` and `openStream` open WebSockets. Holds no connection of its own: nothing has to be closed. */
export class HttpClient {
  readonly #url: string;
  readonly #options: ClientOptions;
  readonly #openSocket: OpenSocket;
  readonly #headers: Readonly<Record<string, string>>;

  /** `url`: `http://HOST:PORT`, where a proxy wants it with a path. */
  constructor(url: string, options: ClientOptions, openSocket: OpenSocket) {
    this.#url = (url.includes('://') ? url : `http://${url}`).replace(/\/+$/, '');
    this.#options = options;
    this.#openSocket = openSocket;
    const { token, headers = {} } = options;
    this.#headers = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
  }

  /**
   * One inference, tensors as bytes both ways. Name the types that `penstock generate-types` writes, or none: then outputs are of any
   * name, and `datatype` tells what their data are. Rejects with a `PenstockError`.
   */
  async infer<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    model: string,
    inputs: I,
    options: InferOptions = {},
  ): Promise<InferAnswer<O>> {
    return (await this.#infer(model, inputs, options, 0)) as InferAnswer<O>;
  }

  /** The k best classes of an output, best first, by rows of its batch. */
  async classify<I extends InputsOf<I> = AnyInputs>(
    model: string,
    inputs: I,
    { output, k, ...options }: ClassifyOptions,
  ): Promise<ClassScore[][]> {
    const { outputs } = await this.#infer(model, inputs, { ...options, outputs: [output] }, k);
    return classesOf(output, outputs[output]);
  }

  /**
   * An answer in several parts, of a decoupled model (any other has one part), over a WebSocket of its own. Leaving the loop, or
   * aborting the signal, ends the request on the server; a loop that is slow makes the model wait. `timeoutMs` is for all parts.
   */
  stream<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    model: string,
    inputs: I,
    options: InferOptions = {},
  ): Parts<InferAnswer<O>> {
    const url = this.#streamUrl(model, options.version);
    const open = () => this.#openSocket(url, this.#headers);
    const start = (limit: TimeLimit) => socketParts(open, inferMessage(wireTensors(inputs), extrasOf(options)), limit);
    return streamed(options, this.#options, this.#url, start) as Parts<InferAnswer<O>>;
  }

  /** The one answer of a model of text, or of any whose inputs are values or flat lists: plain values both ways. */
  async generate<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    model: string,
    inputs: PlainInputs<NoInfer<I>>,
    options: GenerateOptions = {},
  ): Promise<GenerateAnswer<O>> {
    const call = generateCall(inputs, options);
    const { body } = await this.#call(`${pathOf(model, options.version)}/generate`, call, options);
    return generateAnswer(new TextDecoder().decode(body)) as GenerateAnswer<O>;
  }

  /** The same in several parts, as `stream` has them, over HTTP: server-sent events. */
  generateStream<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    model: string,
    inputs: PlainInputs<NoInfer<I>>,
    options: GenerateOptions = {},
  ): Parts<GenerateAnswer<O>> {
    const path = `${pathOf(model, options.version)}/generate_stream`;
    const start = (limit: TimeLimit) => this.#events(path, generateCall(inputs, options), limit);
    return streamed(options, this.#options, this.#url, start) as Parts<GenerateAnswer<O>>;
  }

  /** Requests of one sequence, each sent when the one before it is answered. `openStream` has them many at once. */
  sequence<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    model: string,
    options: SequenceOptions = {},
  ): Sequence<I, O> {
    return new Sequence<I, O>((inputs, step) => this.infer(model, inputs, step), false, options);
  }

  /** Opens a WebSocket to a model: many requests in flight on one connection. Close it when it is done with. */
  openStream(model: string, options: StreamOptions = {}): ModelStream {
    const url = this.#streamUrl(model, options.version);
    const timeoutMs = timeoutOf(options, this.#options);
    return new ModelStream(() => this.#openSocket(url, this.#headers), { ...options, timeoutMs });
  }

  serverMetadata(options?: CallOptions): Promise<ServerMetadata> {
    return this.#json('/v2', {}, options);
  }

  /** Whether the process is there and says so; false where nothing answers too. */
  async live(options?: CallOptions): Promise<boolean> {
    return this.#says('/v2/health/live', options);
  }

  /** Whether it takes requests; false where nothing answers too. */
  async ready(options?: CallOptions): Promise<boolean> {
    return this.#says('/v2/health/ready', options);
  }

  /** Whether a model, or one version of it, takes requests. Rejects with status 404 where nobody has it. */
  async modelReady(model: string, version?: number | string, options?: CallOptions): Promise<boolean> {
    const path = `${pathOf(model, version)}/ready`;
    return (await this.#call(path, { alsoStatus: NOT_READY_STATUS }, options)).status !== NOT_READY_STATUS;
  }

  modelMetadata(model: string, version?: number | string, options?: CallOptions): Promise<ModelMetadata> {
    return this.#json(pathOf(model, version), {}, options);
  }

  /** The model's configuration, completed (Triton's ModelConfig). */
  modelConfig(
    model: string,
    version?: number | string,
    options?: CallOptions,
  ): Promise<Readonly<Record<string, unknown>>> {
    return this.#json(`${pathOf(model, version)}/config`, {}, options);
  }

  /** Statistics by version, of one model or of all that are ready. */
  async statistics(
    model?: string,
    version?: number | string,
    options?: CallOptions,
  ): Promise<readonly ModelStatistics[]> {
    const path = model === undefined ? '/v2/models/stats' : `${pathOf(model, version)}/stats`;
    return (await this.#json<{ model_stats: ModelStatistics[] }>(path, {}, options)).model_stats;
  }

  /** Every version of every model with its state; `readyOnly`: those that take requests. */
  async repositoryIndex(readyOnly = false, options?: CallOptions): Promise<readonly IndexEntry[]> {
    return this.#json('/v2/repository/index', post({ ready: readyOnly }), options);
  }

  /** Loads or reloads a model; resolves when it serves. */
  async load(model: string, { config, files = {}, ...options }: LoadOptions = {}): Promise<void> {
    const content = Object.entries(files).map(([name, bytes]) => [`file:${name}`, base64(bytes)]);
    const parameters = {
      ...(config === undefined ? {} : { config: JSON.stringify(config) }),
      ...(Object.fromEntries(content) as Record<string, string>),
    };
    await this.#call(`/v2/repository/models/${encodeURIComponent(model)}/load`, post({ parameters }), options);
  }

  /** Unloads a model; resolves when it takes no more requests. */
  async unload(model: string, options?: CallOptions): Promise<void> {
    await this.#call(`/v2/repository/models/${encodeURIComponent(model)}/unload`, post({}), options);
  }

  async #infer(model: string, inputs: object, options: InferOptions, k: number): Promise<InferAnswer> {
    const message = inferMessage(wireTensors(inputs), extrasOf(options, k));
    const headers = {
      'content-type': 'application/octet-stream',
      [JSON_LENGTH_HEADER]: String(message.json.length),
    };
    const path = `${pathOf(model, options.version)}/infer`;
    const reply = await this.#call(path, { body: joined(message), headers }, options);
    const length = reply.headers.get(JSON_LENGTH_HEADER);
    return readAnswer(reply.body, length === null ? reply.body.length : Number(length));
  }

  async #says(path: string, options?: CallOptions): Promise<boolean> {
    try {
      return (await this.#call(path, { alsoStatus: NOT_READY_STATUS }, options)).status !== NOT_READY_STATUS;
    } catch (thrown) {
      if ((thrown as PenstockError).reason === 'UNREACHABLE') return false;
      throw thrown;
    }
  }

  async #json<T extends object>(path: string, call: Call, options?: CallOptions): Promise<T> {
    return parsed<T>((await this.#call(path, call, options)).body);
  }

  /** One call with its retries. */
  #call(path: string, call: Call, options: CallOptions = {}): Promise<Reply> {
    return retried(options, this.#options, this.#url, (limit) => this.#try(path, call, limit));
  }

  #streamUrl(model: string, version: number | string | undefined): string {
    return `${this.#url.replace(/^http/, 'ws')}${pathOf(model, version)}/stream`;
  }

  async #try(path: string, call: Call, limit: TimeLimit): Promise<Reply> {
    const reply = await this.#send(path, call, limit);
    return { status: reply.status, headers: reply.headers, body: new Uint8Array(await reply.arrayBuffer()) };
  }

  async *#events(path: string, call: Call, limit: TimeLimit): Parts<GenerateAnswer> {
    const { body } = await this.#send(path, call, limit);
    if (body !== null) for await (const event of eventsOf(body)) yield generateAnswer(event);
  }

  #send(path: string, call: Call, limit: TimeLimit): Promise<Response> {
    return send(this.#options.fetch ?? fetch, this.#url + path, this.#headers, call, limit);
  }
}

function generateCall(inputs: object, options: GenerateOptions): Call {
  return jsonCall(generateBody(inputs, options));
}

function pathOf(model: string, version: number | string | undefined): string {
  const versioned = version === undefined ? '' : `/versions/${encodeURIComponent(version)}`;
  return `/v2/models/${encodeURIComponent(model)}${versioned}`;
}

function base64(bytes: Uint8Array): string {
  let text = '';
  // Not all at once: arguments of a call are limited.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
