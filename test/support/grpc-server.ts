import { fileURLToPath } from 'node:url';
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ModelSpec } from '../../src/core/index.js';
import type { Arena } from '../../src/serving/arena/index.js';
import { ControlPlane } from '../../src/serving/controlplane/index.js';
import { type GrpcOptions, type GrpcServer, NO_REGIONS, startGrpc } from '../../src/serving/transport/index.js';
import { FakeFeedback } from './fake-feedback.js';
import { FakeInference } from './fake-inference.js';
import { FakeLogControl } from './fake-log-control.js';
import { FakeModels } from './fake-models.js';
import { FakeTraceControl } from './fake-trace-control.js';
import { adminAuthority } from './kept-audit.js';
import { poisonedArena } from './poisoned-arena.js';
import { SCHEDULER } from './scheduler-report.js';
import { SilentLog } from './silent-log.js';
import { modelSpec } from './specs.js';
import { WALL_CLOCK } from './wall-clock.js';

const PROTOS = fileURLToPath(new URL('../../protos/', import.meta.url));
const FILES = [
  'grpc_service.proto',
  'health.proto',
  'reflection_v1.proto',
  'reflection_v1alpha.proto',
  'tensorflow_serving.proto',
  'tei.proto',
];
const DEFINITION = loadSync(FILES, {
  includeDirs: [PROTOS],
  keepCase: true,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});

// biome-ignore lint/suspicious/noExplicitAny: messages of the loaded protos have no static types
export type Message = Record<string, any>;

export const INFERENCE = 'inference.GRPCInferenceService';
export const HEALTH = 'grpc.health.v1.Health';
export const PREDICTION = 'tensorflow.serving.PredictionService';
export const SESSION = 'tensorflow.serving.SessionService';
export const MODEL_SERVICE = 'tensorflow.serving.ModelService';

interface Method {
  readonly path: string;
  readonly requestSerialize: (value: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Message;
}

/** Path and codecs of a method, as the stock loader reads them from the proto files. */
export function methodOf(service: string, name: string): Method {
  return (DEFINITION[service] as unknown as Record<string, Method>)[name] as Method;
}

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
  /** Bytes to send in place of a message. */
  readonly bytes?: Buffer;
  readonly service?: string;
  readonly onCall?: (call: ClientUnaryCall) => void;
}

/** A stock client of a server on this machine. */
export class GrpcClient {
  readonly channel: Client;

  constructor(port: number, options: object = {}, host = '127.0.0.1') {
    this.channel = new Client(`${host}:${port}`, credentials.createInsecure(), options);
  }

  /** One call; rejects with the client's `ServiceError`. */
  unary(name: string, message: object, options: CallOptions = {}): Promise<Message> {
    const { path, requestSerialize, responseDeserialize } = methodOf(options.service ?? INFERENCE, name);
    const serialize = options.bytes === undefined ? requestSerialize : () => options.bytes as Buffer;
    return new Promise((resolve, reject) => {
      const call = this.channel.makeUnaryRequest(
        path,
        serialize,
        responseDeserialize,
        message,
        metadataOf(options),
        callOptions(options),
        (error, value) => (error === null ? resolve(value as Message) : reject(error)),
      );
      options.onCall?.(call);
    });
  }

  bidi(name: string, options: CallOptions = {}): Received {
    const { path, requestSerialize, responseDeserialize } = methodOf(options.service ?? INFERENCE, name);
    const serialize = (value: object) => (Buffer.isBuffer(value) ? value : requestSerialize(value));
    return new Received(
      this.channel.makeBidiStreamRequest(
        path,
        serialize,
        responseDeserialize,
        metadataOf(options),
        callOptions(options),
      ),
    );
  }

  /** A call of several messages with one answer; rejects with the client's `ServiceError`. */
  gathered(name: string, messages: readonly object[], options: CallOptions = {}): Promise<Message> {
    const { path, requestSerialize, responseDeserialize } = methodOf(options.service ?? INFERENCE, name);
    return new Promise((resolve, reject) => {
      const call = this.channel.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        metadataOf(options),
        callOptions(options),
        (error, value) => (error === null ? resolve(value as Message) : reject(error)),
      );
      for (const message of messages) call.write(message);
      call.end();
    });
  }

  watch(service: string): Received {
    const { path, requestSerialize, responseDeserialize } = methodOf(HEALTH, 'Watch');
    return new Received(this.channel.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service }));
  }

  close(): void {
    this.channel.close();
  }
}

/** What came back on a stream, to be waited for. */
export class Received {
  readonly messages: Message[] = [];
  readonly ended: Promise<ServiceError | undefined>;
  // biome-ignore lint/suspicious/noExplicitAny: messages of the loaded protos have no static types
  readonly call: ClientDuplexStream<any, any> | ClientReadableStream<any>;
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  // biome-ignore lint/suspicious/noExplicitAny: messages of the loaded protos have no static types
  constructor(call: ClientDuplexStream<any, any> | ClientReadableStream<any>) {
    this.call = call;
    call.on('data', (message: Message) => {
      this.messages.push(message);
      this.#waiting = this.#waiting.filter(({ count, resolve }) => {
        if (this.messages.length < count) return true;
        resolve();
        return false;
      });
    });
    this.ended = new Promise((resolve) => {
      call.on('error', (error: ServiceError) => resolve(error));
      call.on('end', () => resolve(undefined));
    });
  }

  send(...messages: object[]): this {
    for (const message of messages) (this.call as ClientDuplexStream<object, object>).write(message);
    return this;
  }

  half(): this {
    (this.call as ClientDuplexStream<object, object>).end();
    return this;
  }

  /** Resolves when so many messages have come. */
  count(count: number): Promise<void> {
    if (this.messages.length >= count) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ count, resolve });
    });
  }
}

export interface GrpcFixture {
  readonly server: GrpcServer;
  readonly client: GrpcClient;
  readonly inference: FakeInference;
  readonly models: FakeModels;
  readonly control: ControlPlane;
  readonly log: SilentLog;
  readonly memory: Arena;
  readonly process: { live: boolean; ready: boolean };
  /** Closes client and server, whatever the state. */
  stop(): Promise<void>;
}

/** A real server on a free port, over the scriptable data path and a repository in memory. */
export async function startGrpcFixture(
  options: Partial<GrpcOptions> = {},
  specs: readonly ModelSpec[] = [modelSpec()],
): Promise<GrpcFixture> {
  const inference = new FakeInference();
  const models = new FakeModels(specs);
  const log = new SilentLog();
  const memory = poisonedArena();
  const process = { live: true, ready: true };
  const control = new ControlPlane({
    models,
    routes: models,
    statistics: { statistics: () => undefined },
    schedulers: { scheduler: () => SCHEDULER },
    latencies: { latency: () => undefined },
    slos: { statuses: () => [], sinceMs: 0 },
    feedback: new FakeFeedback(),
    process: { live: () => process.live, ready: () => process.ready },
    strictReadiness: false,
    serverName: 'penstock',
    version: '0.0.0',
    authority: adminAuthority('secret'),
    logging: new FakeLogControl(),
    tracing: new FakeTraceControl(),
    memory: NO_REGIONS,
    sharedMemory: false,
  });
  const server = await startGrpc({
    inference,
    specs: {
      specOf: (name, version) => models.spec(name, version),
      versionOf: (name, label) => models.labelled(name, label),
      textModels: () => [],
    },
    control,
    clock: WALL_CLOCK,
    log,
    memory,
    port: 0,
    closeTimeoutMs: 2000,
    ...options,
  });
  const client = new GrpcClient(server.port);
  const stop = async () => {
    client.close();
    for (const call of [...inference.held]) call.answer();
    await server.close();
    if (memory.leases > 0) throw new Error(`${memory.leases} leases were not released`);
  };
  return { server, client, inference, models, control, log, memory, process, stop };
}

/** A `ModelInferRequest` for the model `m` with one FP32 input. */
export function inferMessage(changes: Message = {}): Message {
  return {
    model_name: 'm',
    id: '7',
    inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2] }],
    raw_input_contents: [Buffer.from(Float32Array.of(1.5, -2).buffer)],
    ...changes,
  };
}

function metadataOf(options: CallOptions): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(options.metadata ?? {})) metadata.set(name, value);
  return metadata;
}

function callOptions(options: CallOptions): { deadline?: number } {
  return options.deadlineMs === undefined ? {} : { deadline: Date.now() + options.deadlineMs };
}
