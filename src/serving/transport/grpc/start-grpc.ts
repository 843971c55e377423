import { Server, type ServiceDefinition, type UntypedHandleCall } from '@grpc/grpc-js';
import { type Call, healthCalls, inferenceCalls, reflectionCalls } from '../../codec/index.js';
import { controlCall } from './control-calls.js';
import { widenCallWindow, widenConnectionWindow } from './flow-control.js';
import { GrpcListener } from './grpc-listener.js';
import {
  DEFAULT_MAX_INPUT_BYTES,
  type GrpcOptions,
  type GrpcServer,
  type GrpcState,
  grpcState,
} from './grpc-options.js';
import { HealthService } from './health-service.js';
import { drainStreams, type OpenStreams } from './open-streams.js';
import { honestReceiveStatus } from './received-status.js';
import { reflection } from './reflection-service.js';
import { streamInfer } from './stream-infer.js';
import { unaryInfer } from './unary-infer.js';

/**
 * Starts the gRPC server: `inference.GRPCInferenceService`, `grpc.health.v1.Health` and server reflection. Rejects with
 * CONFLICT where the address cannot be bound.
 */
export async function startGrpc(options: GrpcOptions): Promise<GrpcServer> {
  const state = grpcState(options);
  const streams: OpenStreams = new Set();
  const health = new HealthService(state);
  const server = new Server(serverOptions(options));
  widenCallWindow(server, options.log);
  for (const call of inferenceCalls()) add(server, call, inferenceHandler(call, state, streams));
  for (const call of healthCalls()) add(server, call, call.responseStream ? health.watch(call) : health.check(call));
  for (const call of reflectionCalls()) add(server, call, reflection(call, state, streams));
  const listener = await GrpcListener.bind(server, options.address ?? '127.0.0.1', options.port);
  widenConnectionWindow(server, options.log);
  return new RunningServer({
    server,
    listener,
    state,
    health,
    streams,
    closeTimeoutMs: options.closeTimeoutMs ?? 10_000,
  });
}

interface RunningParts {
  readonly server: Server;
  readonly listener: GrpcListener;
  readonly state: GrpcState;
  readonly health: HealthService;
  readonly streams: OpenStreams;
  readonly closeTimeoutMs: number;
}

/** Drains in the order: health says no, idle streams end, requests in flight settle, watchers go, connections close. */
class RunningServer implements GrpcServer {
  readonly #parts: RunningParts;
  #connectionsClosed: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(parts: RunningParts) {
    this.#parts = parts;
  }

  get port(): number {
    return this.#parts.listener.port;
  }

  refreshHealth(): void {
    this.#parts.health.refresh();
  }

  closeIntake(): void {
    if (this.#connectionsClosed !== undefined) return;
    const { server, listener, state, health, streams } = this.#parts;
    this.#connectionsClosed = listener.close();
    state.inFlight.drain();
    health.refresh();
    drainStreams(streams);
    // Tells every connection to go away; it closes when its calls have ended, which the listener notices.
    server.tryShutdown(() => {});
  }

  close(): Promise<void> {
    this.closeIntake();
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const { server, listener, state, health, closeTimeoutMs } = this.#parts;
    await state.inFlight.settled();
    health.end();
    const cut = state.clock.setTimer(state.clock.nowNs() + closeTimeoutMs * 1e6, () => {
      state.log.warn('gRPC clients did not read their answers in time: connections cut', { closeTimeoutMs });
      server.forceShutdown();
      listener.destroy();
    });
    await this.#connectionsClosed;
    cut.clear();
  }
}

function serverOptions(options: GrpcOptions) {
  const keepaliveTimeMs = options.keepaliveTimeMs ?? 7_200_000;
  return {
    'grpc.max_receive_message_length': options.maxInputBytes ?? DEFAULT_MAX_INPUT_BYTES,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': options.maxConcurrentStreams ?? 1024,
    // Its book-keeping costs every call time, and nothing here reads it.
    'grpc.enable_channelz': 0,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs ?? 20_000,
    ...(keepaliveTimeMs === 0 ? {} : { 'grpc.keepalive_time_ms': keepaliveTimeMs }),
    ...(options.maxConnectionAgeMs === undefined ? {} : { 'grpc.max_connection_age_ms': options.maxConnectionAgeMs }),
    ...(options.maxConnectionAgeGraceMs === undefined
      ? {}
      : { 'grpc.max_connection_age_grace_ms': options.maxConnectionAgeGraceMs }),
    interceptors: [honestReceiveStatus],
  };
}

function inferenceHandler(call: Call, state: GrpcState, streams: OpenStreams): UntypedHandleCall {
  if (call.name === 'ModelInfer') return unaryInfer(state);
  if (call.name === 'ModelStreamInfer') return streamInfer(state, streams);
  return controlCall(call, state);
}

/** Messages pass as bytes: a decoder that throws inside grpc-js would be answered INTERNAL without a reason. */
function add(server: Server, call: Call, handler: UntypedHandleCall): void {
  const asIs = (bytes: Buffer) => bytes;
  const definition: ServiceDefinition = {
    [call.name]: {
      path: call.path,
      requestStream: call.requestStream,
      responseStream: call.responseStream,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  };
  server.addService(definition, { [call.name]: handler });
}
