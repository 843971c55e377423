import { isIPv6 } from 'node:net';
import { Server, ServerCredentials, type ServiceDefinition, type UntypedHandleCall } from '@grpc/grpc-js';
import { ServingError } from '../../../core/index.js';
import { type Call, healthCalls, inferenceCalls, reflectionCalls } from '../../codec/index.js';
import { controlCall } from './control-calls.js';
import { widenCallWindow, widenConnectionWindow } from './flow-control.js';
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
  const port = await bind(server, options);
  widenConnectionWindow(server, options.log);
  return new RunningServer(server, port, state, health, streams, options.closeTimeoutMs ?? 10_000);
}

/** Drains in the order: health says no, idle streams end, requests in flight settle, watchers go, sockets close. */
class RunningServer implements GrpcServer {
  readonly port: number;
  readonly #server: Server;
  readonly #state: GrpcState;
  readonly #health: HealthService;
  readonly #streams: OpenStreams;
  readonly #closeTimeoutMs: number;
  #shutDown: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(
    server: Server,
    port: number,
    state: GrpcState,
    health: HealthService,
    streams: OpenStreams,
    closeTimeoutMs: number,
  ) {
    this.port = port;
    this.#server = server;
    this.#state = state;
    this.#health = health;
    this.#streams = streams;
    this.#closeTimeoutMs = closeTimeoutMs;
  }

  refreshHealth(): void {
    this.#health.refresh();
  }

  closeIntake(): void {
    if (this.#shutDown !== undefined) return;
    this.#state.inFlight.drain();
    this.#health.refresh();
    drainStreams(this.#streams);
    this.#shutDown = new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  close(): Promise<void> {
    this.closeIntake();
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#state.inFlight.settled();
    this.#health.end();
    const { clock, log } = this.#state;
    const forced = clock.setTimer(clock.nowNs() + this.#closeTimeoutMs * 1e6, () => {
      log.warn('gRPC clients did not read their answers in time: connections cut', {
        closeTimeoutMs: this.#closeTimeoutMs,
      });
      this.#server.forceShutdown();
    });
    await this.#shutDown;
    forced.clear();
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

async function bind(server: Server, options: GrpcOptions): Promise<number> {
  const address = (options.address ?? '127.0.0.1').replace(/^\[(.*)\]$/, '$1');
  const target = `${isIPv6(address) ? `[${address}]` : address}:${options.port}`;
  try {
    return await new Promise<number>((resolve, reject) => {
      server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      );
    });
  } catch (cause) {
    server.forceShutdown();
    const why = String(cause).includes('EADDRINUSE')
      ? 'another process has the port'
      : 'the address is not of this machine, or the port needs a right';
    throw new ServingError(
      'CONFLICT',
      `gRPC: cannot listen on ${address} port ${options.port}: ${why}; free it or choose another with --grpc-port and --grpc-address`,
      { cause },
    );
  }
}
