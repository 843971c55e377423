import {
  type CallOptions as CallOptionsOfGrpc,
  type ChannelCredentials,
  Client,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { type ClassifyOptions, classesOf } from '../classification.js';
import type { PenstockError } from '../client-error.js';
import type { InputsOf } from '../http-client.js';
import { extrasOf } from '../infer-message.js';
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
} from '../protocol.js';
import { type CallDefaults, retried, timeoutOf } from '../retry.js';
import { Sequence, type SequenceOptions } from '../sequence.js';
import { type Parts, streamed } from '../streamed.js';
import { type AnyInputs, type AnyOutputs, wireTensors } from '../tensor.js';
import type { TimeLimit } from '../time-limit.js';
import { callParts } from './call-parts.js';
import { failureOfCall } from './grpc-failure.js';
import { GrpcStream, type GrpcStreamOptions, type StreamCall } from './grpc-stream.js';
import { answerOf, type MethodCodec, methodCodec, requestMessage } from './messages.js';

export interface GrpcClientOptions extends CallDefaults {
  /** Go with every call as metadata. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Token for calls that need a right: `load`, `unload`. */
  readonly token?: string;
  /** Default: no encryption. */
  readonly credentials?: ChannelCredentials;
}

const LARGEST_MESSAGE_BYTES = 2 ** 31 - 1;

/** A client of a gateway over gRPC, for Node. Holds a connection: `close` it when it is done with. */
export class PenstockGrpcClient {
  readonly #address: string;
  readonly #options: GrpcClientOptions;
  readonly #client: Client;
  readonly #codecs = new Map<string, MethodCodec>();

  /** `address`: `HOST:PORT`. */
  constructor(address: string, options: GrpcClientOptions = {}) {
    this.#address = address.replace(/^grpcs?:\/\//, '');
    this.#options = options;
    this.#client = new Client(this.#address, options.credentials ?? credentials.createInsecure(), {
      'grpc.max_receive_message_length': LARGEST_MESSAGE_BYTES,
      'grpc.max_send_message_length': LARGEST_MESSAGE_BYTES,
    });
  }

  /** One inference. Types as `PenstockClient.infer` takes them. Rejects with a `PenstockError`. */
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

  /** An answer in several parts, over a call of its own. As `PenstockClient.stream`. */
  stream<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    model: string,
    inputs: I,
    options: InferOptions = {},
  ): Parts<InferAnswer<O>> {
    const open = ({ leftMs }: TimeLimit) => this.#openCall({ deadlineMs: leftMs, errorsEndIt: true });
    const start = (limit: TimeLimit) =>
      callParts(open, requestMessage(model, options.version, wireTensors(inputs), extrasOf(options)), limit);
    return streamed(options, this.#options, this.#address, start) as Parts<InferAnswer<O>>;
  }

  /** Requests of one sequence, each sent when the one before it is answered. */
  sequence<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    model: string,
    options: SequenceOptions = {},
  ): Sequence<I, O> {
    return new Sequence<I, O>((inputs, step) => this.infer(model, inputs, step), false, options);
  }

  /** Opens a stream: many requests in flight on one call, to any models. Close it when it is done with. */
  openStream(options: GrpcStreamOptions = {}): GrpcStream {
    return new GrpcStream(this.#openCall({}), { ...options, timeoutMs: timeoutOf(options, this.#options) });
  }

  serverMetadata(options?: CallOptions): Promise<ServerMetadata> {
    return this.#call('ServerMetadata', {}, options);
  }

  /** Whether the process is there and says so; false where nothing answers too. */
  live(options?: CallOptions): Promise<boolean> {
    return this.#says('ServerLive', 'live', options);
  }

  /** Whether it takes requests; false where nothing answers too. */
  ready(options?: CallOptions): Promise<boolean> {
    return this.#says('ServerReady', 'ready', options);
  }

  /** Whether a model, or one version of it, takes requests; false where nobody has it. */
  async modelReady(name: string, version?: number | string, options?: CallOptions): Promise<boolean> {
    return (await this.#call<{ ready: boolean }>('ModelReady', named(name, version), options)).ready;
  }

  modelMetadata(name: string, version?: number | string, options?: CallOptions): Promise<ModelMetadata> {
    return this.#call('ModelMetadata', named(name, version), options);
  }

  /** The model's configuration, completed (Triton's ModelConfig). */
  async modelConfig(
    name: string,
    version?: number | string,
    options?: CallOptions,
  ): Promise<Readonly<Record<string, unknown>>> {
    const answer = this.#call<{ config: Record<string, unknown> }>('ModelConfig', named(name, version), options);
    return (await answer).config;
  }

  /** Statistics by version, of one model or of all that are ready. */
  async statistics(name = '', version?: number | string, options?: CallOptions): Promise<readonly ModelStatistics[]> {
    const answer = this.#call<{ model_stats: ModelStatistics[] }>('ModelStatistics', named(name, version), options);
    return (await answer).model_stats;
  }

  /** Every version of every model with its state; `readyOnly`: those that take requests. */
  async repositoryIndex(readyOnly = false, options?: CallOptions): Promise<readonly IndexEntry[]> {
    return (await this.#call<{ models: IndexEntry[] }>('RepositoryIndex', { ready: readyOnly }, options)).models;
  }

  /** Loads or reloads a model; resolves when it serves. */
  async load(model: string, { config, files = {}, ...options }: LoadOptions = {}): Promise<void> {
    const contents = Object.entries(files).map(([name, bytes]) => [`file:${name}`, { bytes_param: bytes }]);
    const parameters = {
      ...(config === undefined ? {} : { config: { string_param: JSON.stringify(config) } }),
      ...(Object.fromEntries(contents) as Record<string, object>),
    };
    await this.#call('RepositoryModelLoad', { model_name: model, parameters }, options);
  }

  /** Unloads a model; resolves when it takes no more requests. */
  async unload(model: string, options?: CallOptions): Promise<void> {
    await this.#call('RepositoryModelUnload', { model_name: model }, options);
  }

  close(): void {
    this.#client.close();
  }

  async #infer(model: string, inputs: object, options: InferOptions, k: number): Promise<InferAnswer> {
    const message = requestMessage(model, options.version, wireTensors(inputs), extrasOf(options, k));
    return answerOf(await this.#call('ModelInfer', message, options));
  }

  async #says<K extends string>(method: string, field: K, options?: CallOptions): Promise<boolean> {
    try {
      return (await this.#call<Record<K, boolean>>(method, {}, options))[field];
    } catch (thrown) {
      if ((thrown as PenstockError).reason === 'UNREACHABLE') return false;
      throw thrown;
    }
  }

  /** One call with its retries. */
  #call<T>(method: string, message: object, options: CallOptions = {}): Promise<T> {
    return retried(options, this.#options, this.#address, async (limit) =>
      this.#try<T>(this.#codec(method), message, limit),
    );
  }

  #try<T>({ path, encode, decode }: MethodCodec, message: object, { signal, leftMs }: TimeLimit): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (error: ServiceError | null, answer?: T) => {
        signal.removeEventListener('abort', cancel);
        if (error === null) resolve(answer as T);
        else reject(failureOfCall(error));
      };
      const deadline = deadlineIn(leftMs);
      const call = this.#client.makeUnaryRequest(path, encode, decode, message, this.#metadata(), deadline, settle);
      const cancel = () => call.cancel();
      signal.addEventListener('abort', cancel);
    });
  }

  /** `errorsEndIt`: errors are the status of the call, which has a reason, in place of messages. */
  #openCall({ deadlineMs = Number.POSITIVE_INFINITY, errorsEndIt = false }): StreamCall {
    const { path, encode, decode } = this.#codec('ModelStreamInfer');
    const metadata = this.#metadata();
    if (errorsEndIt) metadata.set('triton_grpc_error', 'true');
    return this.#client.makeBidiStreamRequest(path, encode, decode, metadata, deadlineIn(deadlineMs));
  }

  #codec(method: string): MethodCodec {
    const known = this.#codecs.get(method);
    if (known !== undefined) return known;
    const codec = methodCodec(method);
    this.#codecs.set(method, codec);
    return codec;
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    const { headers = {}, token } = this.#options;
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    return metadata;
  }
}

function named(name: string, version: number | string | undefined): object {
  return { name, version: version === undefined ? '' : String(version) };
}

function deadlineIn(leftMs: number): CallOptionsOfGrpc {
  return Number.isFinite(leftMs) ? { deadline: Date.now() + leftMs } : {};
}
