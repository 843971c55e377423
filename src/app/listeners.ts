import type { ServerConfig } from '../config/index.js';
import type { Clock, LeaseSource, Log, Offload, Reason } from '../core/index.js';
import type { Metrics } from '../insight/index.js';
import {
  type ControlPort,
  type GrpcServer,
  type InferencePort,
  type ListeningServer,
  startGrpc,
  startHttp,
  startMetricsHttp,
} from '../serving/transport/index.js';
import { PENSTOCK_VERSION } from './version.js';

export interface ListenerParts {
  readonly inference: InferencePort;
  readonly control: ControlPort;
  readonly offload: Offload;
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: LeaseSource;
  readonly metrics: Metrics;
}

/** What listens; undefined where the configuration switches it off. */
export interface Listeners {
  readonly http: ListeningServer | undefined;
  readonly grpc: GrpcServer | undefined;
  readonly metrics: ListeningServer | undefined;
  /** Closes all of them, metrics last, so that a drain can be watched to its end. */
  close(): Promise<void>;
}

/** Binds every port of the configuration. Rejects, with nothing left open, where one is taken. */
export async function startListeners(config: ServerConfig, parts: ListenerParts): Promise<Listeners> {
  const { metrics, ...rest } = parts;
  const shared = { ...rest, onRefused: (reason: Reason) => metrics.refused(reason) };
  const opened: ListeningServer[] = [];
  const open = async <S extends ListeningServer>(enabled: boolean, start: () => Promise<S>): Promise<S | undefined> => {
    if (!enabled) return undefined;
    const server = await start();
    opened.push(server);
    return server;
  };
  try {
    const metricsServer = await open(config.metrics.enabled, () =>
      startMetricsHttp(metricsOptions(config, metrics, parts.log)),
    );
    const http = await open(config.http.enabled, () => startHttp({ ...httpOptions(config), ...shared }));
    const grpc = await open(config.grpc.enabled, () => startGrpc({ ...grpcOptions(config), ...shared }));
    return { http, grpc, metrics: metricsServer, close: () => closeAll([http, grpc], metricsServer) };
  } catch (thrown) {
    await Promise.all(opened.map((server) => server.close()));
    throw thrown;
  }
}

async function closeAll(
  serving: readonly (ListeningServer | undefined)[],
  metrics: ListeningServer | undefined,
): Promise<void> {
  await Promise.all(serving.map((server) => server?.close()));
  await metrics?.close();
}

function metricsOptions({ metrics: { address, port } }: ServerConfig, metrics: Metrics, log: Log) {
  return { address, port, scrape: () => metrics.scrape(), contentType: metrics.contentType, log };
}

function httpOptions({ http, jsonNan, offload }: ServerConfig) {
  return {
    address: http.address,
    port: http.port,
    maxInputBytes: http.maxInputBytes,
    jsonNan,
    offloadJsonBytes: offload.jsonBytes,
    maxStreams: http.websocket.maxConnections,
    maxFrameBytes: http.websocket.maxFrameBytes,
    maxStreamRequests: http.websocket.maxInFlight,
    streamIdleSeconds: http.websocket.idleTimeoutSecs,
    maxStreamBacklogBytes: http.websocket.maxBackpressureBytes,
    serverName: 'penstock',
    serverVersion: PENSTOCK_VERSION,
  };
}

function grpcOptions({ grpc }: ServerConfig) {
  return {
    address: grpc.address,
    port: grpc.port,
    maxInputBytes: grpc.maxMessageBytes,
    keepaliveTimeMs: grpc.keepaliveTimeMs,
    keepaliveTimeoutMs: grpc.keepaliveTimeoutMs,
    ...(grpc.maxConnectionAgeMs === 0 ? {} : { maxConnectionAgeMs: grpc.maxConnectionAgeMs }),
    ...(grpc.maxConnectionAgeGraceMs === 0 ? {} : { maxConnectionAgeGraceMs: grpc.maxConnectionAgeGraceMs }),
  };
}
