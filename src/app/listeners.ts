import type { ServerConfig } from '../config/index.js';
import {
  type ClientMemory,
  type Clock,
  forwardPattern,
  type LeaseSource,
  type Log,
  type Offload,
  type Reason,
  type RequestWatch,
} from '../core/index.js';
import type { Metrics } from '../insight/index.js';
import { usableCores } from '../machine/index.js';
import type { AdminPlane } from '../serving/controlplane/index.js';
import {
  type ControlPort,
  type GrpcServer,
  type InferencePort,
  type ListeningServer,
  type SpecPort,
  startAdmin,
  startGrpc,
  startHttp,
  startMetricsHttp,
} from '../serving/transport/index.js';
import { offloadThreads } from './offload-tasks.js';
import { startPlatforms } from './platforms.js';
import { grpcTls, httpTls } from './tls.js';

/** What the servers of requests need of the rooms behind. */
export interface ServerParts {
  readonly inference: InferencePort;
  readonly specs: SpecPort;
  readonly control: ControlPort;
  readonly offload: Offload;
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: LeaseSource;
  readonly onRefused: (reason: Reason) => void;
  readonly watch: RequestWatch;
  /** Undefined: no memory of clients is taken. */
  readonly clientMemory: ClientMemory | undefined;
}

/** What the servers beside those of requests need; they are always on this thread. */
export interface ControlParts {
  readonly metrics: Metrics;
  readonly admin: AdminPlane;
  readonly clock: Clock;
  readonly log: Log;
  /** Of this thread. */
  readonly watch: RequestWatch;
}

/** Which part of the configured limits a server has: those of one thread of several make up the whole. */
export interface Share {
  /** 0 to `of` - 1. */
  readonly index: number;
  readonly of: number;
}

/** The servers of requests; undefined where the configuration switches one off. */
export interface RequestServers {
  readonly http: ListeningServer | undefined;
  readonly grpc: GrpcServer | undefined;
  /** Those of cloud platforms. */
  readonly platforms: readonly ListeningServer[];
}

/** What listens. */
export interface Listeners extends RequestServers {
  readonly metrics: ListeningServer | undefined;
  readonly admin: ListeningServer | undefined;
  /** Closes all of them, metrics last, so that a drain can be watched to its end. */
  close(): Promise<void>;
}

/**
 * Binds every port of the configuration; `startServers` gives the servers of requests, of this thread or of others. Rejects,
 * with nothing left open, where a port is taken.
 */
export async function startListeners(
  config: ServerConfig,
  { metrics, admin, clock, log, watch }: ControlParts,
  startServers: () => Promise<RequestServers>,
): Promise<Listeners> {
  const opened: ListeningServer[] = [];
  const kept = <Server extends ListeningServer>(server: Server): Server => {
    opened.push(server);
    return server;
  };
  try {
    const scraped = config.metrics.enabled
      ? kept(await startMetricsHttp(metricsOptions(config, metrics, log)))
      : undefined;
    const { address, port } = config.admin;
    const administered =
      port === undefined ? undefined : kept(await startAdmin({ admin, clock, log, watch, address, port }));
    const servers = await startServers();
    const close = async (): Promise<void> => {
      const { http, grpc, platforms } = servers;
      await Promise.all([http, grpc, administered, ...platforms].map((server) => server?.close()));
      await scraped?.close();
    };
    return { ...servers, metrics: scraped, admin: administered, close };
  } catch (thrown) {
    await Promise.all(opened.map((server) => server.close()));
    throw thrown;
  }
}

/** Starts HTTP, gRPC and the servers of cloud platforms on this thread; `share` where other threads listen on the same ports. */
export async function startServers(config: ServerConfig, parts: ServerParts, share?: Share): Promise<RequestServers> {
  const opened: ListeningServer[] = [];
  const kept = <Server extends ListeningServer>(server: Server): Server => {
    opened.push(server);
    return server;
  };
  try {
    const options = httpOptions(config, share);
    const http = config.http.enabled ? kept(await startHttp({ ...options, ...parts })) : undefined;
    const grpc = config.grpc.enabled ? kept(await startGrpc({ ...grpcOptions(config, share), ...parts })) : undefined;
    // As in Triton: the servers of platforms forward no headers and share no port.
    const { unixSocket: _, forward: _forward, tls: _tls, cors: _cors, ...usual } = options;
    const limits = { ...usual, shared: share !== undefined && share.of > 1 };
    return { http, grpc, platforms: await startPlatforms(config, limits, parts) };
  } catch (thrown) {
    await Promise.all(opened.map((server) => server.close()));
    throw thrown;
  }
}

function metricsOptions({ metrics: { address, port } }: ServerConfig, metrics: Metrics, log: Log) {
  return { address, port, scrape: (accept: string) => metrics.expose(accept), log };
}

const ALONE: Share = { index: 0, of: 1 };

/** Bodies in flight together, in the size of the largest one. */
const BODIES_IN_FLIGHT = 8;

function httpOptions(config: ServerConfig, share: Share = ALONE) {
  const { http, jsonNan, offload, tenants, tritonCompatibleErrors } = config;
  return {
    texts: textOptions(config),
    tenantHeader: tenantHeader(tenants),
    forward: patternOf(http.headerForwardPattern),
    shared: share.of > 1 || http.reusePort,
    maxInFlightBytes: bodiesInFlight(http.maxInputBytes, share),
    address: http.address,
    port: http.port,
    ...unixSocketOf(http, share),
    tls: httpTls(http.tls),
    cors: http.cors.allowOrigins.length === 0 ? undefined : corsOf(http.cors),
    maxInputBytes: http.maxInputBytes,
    jsonNan,
    offloadJsonBytes: offload.jsonBytes,
    maxStreams: partOf(http.websocket.maxConnections, share),
    maxFrameBytes: http.websocket.maxFrameBytes,
    maxStreamRequests: http.websocket.maxInFlight,
    streamIdleSeconds: http.websocket.idleTimeoutSecs,
    maxStreamBacklogBytes: http.websocket.maxBackpressureBytes,
    streamCompression: http.websocket.compression,
    tritonErrors: tritonCompatibleErrors,
    restrictions: http.restrictedApis,
  };
}

/** What protocols of texts go by, over HTTP and gRPC. */
function textOptions({ texts, offload, maxQueueSize }: ServerConfig) {
  const { embeddingModel, sparseModel, rerankModel, classifyModel, maxClientBatchSize } = texts;
  return {
    models: { embed: embeddingModel, sparse: sparseModel, rerank: rerankModel, classify: classifyModel },
    maxClientBatchSize,
    maxQueueSize,
    tokenizationWorkers: offloadThreads(offload, usableCores()),
  };
}

function grpcOptions(config: ServerConfig, share: Share = ALONE) {
  const { grpc, tenants, tritonCompatibleErrors } = config;
  return {
    texts: textOptions(config),
    tenantHeader: tenantHeader(tenants),
    forward: patternOf(grpc.headerForwardPattern),
    shared: share.of > 1 || grpc.reusePort,
    maxInFlightBytes: bodiesInFlight(grpc.maxMessageBytes, share),
    maxWatchers: partOf(HEALTH_WATCHERS, share),
    address: grpc.address,
    port: grpc.port,
    ...unixSocketOf(grpc, share),
    maxInputBytes: grpc.maxMessageBytes,
    keepaliveTimeMs: grpc.keepaliveTimeMs,
    answerTimeoutMs: grpc.answerTimeoutMs,
    tls: grpcTls(grpc.tls),
    tritonErrors: tritonCompatibleErrors,
    restrictions: grpc.restrictedProtocols,
    streamForm: grpc.streamForm,
    keepaliveTimeoutMs: grpc.keepaliveTimeoutMs,
    ...(grpc.maxConnectionAgeMs === 0 ? {} : { maxConnectionAgeMs: grpc.maxConnectionAgeMs }),
    ...(grpc.maxConnectionAgeGraceMs === 0 ? {} : { maxConnectionAgeGraceMs: grpc.maxConnectionAgeGraceMs }),
  };
}

function corsOf({ allowOrigins, maxAgeSecs }: ServerConfig['http']['cors']) {
  return { origins: allowOrigins, maxAgeSecs };
}

/** A socket file has one listener: the first thread's. */
function unixSocketOf({ unixSocket, unixSocketMode }: ServerConfig['http' | 'grpc'], { index }: Share) {
  if (unixSocket === undefined || index !== 0) return {};
  return { unixSocket: { path: unixSocket, mode: Number.parseInt(unixSocketMode, 8) } };
}

function patternOf(text: string): RegExp | undefined {
  return text === '' ? undefined : forwardPattern(text);
}

/** Empty: no header names a tenant. */
function tenantHeader({ source, name }: ServerConfig['tenants']): string {
  return source === 'header' || source === 'any' ? name : '';
}

/** Clients that watch the health service, over all threads. */
const HEALTH_WATCHERS = 1024;

/** The parts of all threads make up the whole. */
function partOf(whole: number, { index, of }: Share): number {
  return Math.floor((whole + index) / of);
}

/** A thread's part takes one body of the largest size at least. */
function bodiesInFlight(largestBytes: number, { of }: Share): number {
  return largestBytes * Math.max(1, Math.ceil(BODIES_IN_FLIGHT / of));
}
