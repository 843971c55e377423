import {
  type ApiGroup,
  type ClientMemory,
  type Clock,
  ERRORS,
  type ErrorView,
  type LeaseSource,
  type Log,
  type Offload,
  type Reason,
  type RequestWatch,
  type Restriction,
  type TextTask,
  TRITON_NOT_READY_STATUS,
  tritonError,
} from '../../../core/index.js';
import { OFFLOAD_JSON_BYTES } from '../../codec/index.js';
import { ByteBudget } from '../byte-budget.js';
import { InFlight } from '../in-flight.js';
import type { ControlPort, InferencePort, ListeningServer, SpecPort } from '../ports.js';
import { ReplyMemory } from '../reply-memory.js';
import { type ApiKey, apiKeys } from '../restrictions.js';
import type { TlsFiles } from '../tls/tls-files.js';
import type { UnixSocketPlace } from '../unix-socket.js';
import type { Uws } from '../uws/uws-types.js';
import { type CorsOptions, CrossOrigin } from './cross-origin.js';
import type { Route } from './routes.js';

export interface HttpOptions {
  readonly inference: InferencePort;
  readonly specs: SpecPort;
  readonly control: ControlPort;
  readonly offload: Offload;
  readonly clock: Clock;
  readonly log: Log;
  /** Pooled memory for bodies and replies; default none: all is garbage-collected. */
  readonly memory?: LeaseSource;
  /** As messages and flags name it; default HTTP. */
  readonly name?: string;
  /** What is served; default all that the protocols have. */
  readonly routes?: readonly Route[];
  /** IPv4, IPv6 or host name; default 127.0.0.1. */
  readonly address?: string;
  /** 0 = any free port. */
  readonly port: number;
  /** A Unix socket to listen on beside the port; default none. */
  readonly unixSocket?: UnixSocketPlace;
  /** Speak TLS by these files, and nothing else; default none. */
  readonly tls?: TlsFiles | undefined;
  /** Pages of which origins may call; default: none of another one. */
  readonly cors?: CorsOptions | undefined;
  /** Whether servers of other threads listen on the port as well; default false: a port is one server's. */
  readonly shared?: boolean;
  /** Largest body, as sent and after decompression; default 64 MiB (Triton's). */
  readonly maxInputBytes?: number;
  /** Largest WebSocket message; default `maxInputBytes`. */
  readonly maxFrameBytes?: number;
  /** WebSockets open at once; one more is refused with OVERLOADED. Default 10000. */
  readonly maxStreams?: number;
  /** JSON from this many bytes on is decoded on a pool thread; default `OFFLOAD_JSON_BYTES`. */
  readonly offloadJsonBytes?: number;
  /** Bodies of all requests in flight together; default eight times `maxInputBytes`. */
  readonly maxInFlightBytes?: number;
  /** Whether JSON may carry NaN and infinities as bare words; default false. */
  readonly jsonNan?: boolean;
  /** Requests in flight on one WebSocket; default 256. */
  readonly maxStreamRequests?: number;
  /** Seconds without a frame after which a WebSocket is closed, pings included; 8 to 960, default 120. */
  readonly streamIdleSeconds?: number;
  /** Bytes a WebSocket's client may leave unread before it is closed; default 64 MiB. */
  readonly maxStreamBacklogBytes?: number;
  /** Whether WebSockets may use permessage-deflate; default false. */
  readonly streamCompression?: boolean;
  /** Header that names a request's tenant, in lower case; default none. */
  readonly tenantHeader?: string;
  /** Names of headers that become parameters of requests (`forwardPattern`); default none. */
  readonly forward?: RegExp | undefined;
  /** Whether errors are answered with Triton's codes and words; default false. */
  readonly tritonErrors?: boolean;
  /** Groups of calls that need a key; default none. */
  readonly restrictions?: readonly Restriction[];
  /** What protocols of texts go by; default: no model is meant where none is named, 32 texts a request. */
  readonly texts?: TextOptions | undefined;
  /** Memory that clients have registered; default: none may. */
  readonly clientMemory?: ClientMemory | undefined;
  /** How long `close` waits for replies that clients read slowly; default 10000. */
  readonly closeTimeoutMs?: number;
  /** Told of each inference that was refused here, before the data path saw it (broken body, too large, draining). */
  readonly onRefused?: (reason: Reason) => void;
  /** Told of each inference from its head to its answer; default: nobody is. */
  readonly watch?: RequestWatch | undefined;
}

/** What the server says of protocols of texts. */
export interface TextOptions {
  /** The model of each task that is meant where a request names none; absent: the only one. */
  readonly models: Readonly<Partial<Record<TextTask, string | undefined>>>;
  /** Most texts of one request of text-embeddings-inference. */
  readonly maxClientBatchSize: number;
  /** Requests that a model's queue holds where its config does not say; and threads that make tokens: both are only told. */
  readonly maxQueueSize: number;
  readonly tokenizationWorkers: number;
}

export type HttpServer = ListeningServer;

/** What all connections of one HTTP server share. */
export interface HttpState {
  readonly uws: Uws;
  readonly inference: InferencePort;
  readonly specs: SpecPort;
  readonly control: ControlPort;
  readonly offload: Offload;
  readonly clock: Clock;
  readonly log: Log;
  readonly memory: LeaseSource | undefined;
  readonly replies: ReplyMemory;
  readonly maxInputBytes: number;
  readonly maxFrameBytes: number;
  readonly maxStreams: number;
  readonly offloadJsonBytes: number;
  readonly budget: ByteBudget;
  readonly inFlight: InFlight;
  readonly allowNan: boolean;
  readonly maxStreamRequests: number;
  readonly streamIdleSeconds: number;
  readonly maxStreamBacklogBytes: number;
  readonly streamCompression: boolean;
  readonly tenantHeader: string;
  readonly forward: RegExp | undefined;
  readonly texts: TextOptions;
  /** When it began to serve, in seconds since 1970. */
  readonly startedSeconds: number;
  readonly nowNs: () => number;
  readonly onRefused: (reason: Reason) => void;
  readonly watch: RequestWatch | undefined;
  /** How errors look to clients; undefined: as they are. */
  readonly errors: ErrorView | undefined;
  readonly clientMemory: ClientMemory | undefined;
  /** Undefined: answers say nothing of origins. */
  readonly cors: CrossOrigin | undefined;
  /** Of the groups that are restricted. */
  readonly apiKeys: ReadonlyMap<ApiGroup, ApiKey>;
  /** Of probes. */
  readonly notReadyStatus: number;
}

/** As the flags have them by default. */
const DEFAULT_TEXTS: TextOptions = { models: {}, maxClientBatchSize: 32, maxQueueSize: 1024, tokenizationWorkers: 1 };
const MIB = 1024 * 1024;
export const MAX_INT32 = 2 ** 31 - 1;

/** The options with their defaults, and the shared counters. */
export function httpState(uws: Uws, options: HttpOptions): HttpState {
  const maxInputBytes = options.maxInputBytes ?? 64 * MIB;
  return {
    uws,
    inference: options.inference,
    specs: options.specs,
    control: options.control,
    offload: options.offload,
    clock: options.clock,
    log: options.log,
    memory: options.memory,
    replies: new ReplyMemory(options.memory),
    maxInputBytes,
    maxFrameBytes: Math.min(options.maxFrameBytes ?? maxInputBytes, MAX_INT32),
    maxStreams: options.maxStreams ?? 10_000,
    offloadJsonBytes: options.offloadJsonBytes ?? OFFLOAD_JSON_BYTES,
    budget: new ByteBudget(options.maxInFlightBytes ?? 8 * maxInputBytes),
    inFlight: new InFlight(),
    allowNan: options.jsonNan ?? false,
    maxStreamRequests: options.maxStreamRequests ?? 256,
    // The library ends the process for an idle time outside of these bounds, and keeps sizes in 31 bits.
    streamIdleSeconds: Math.min(Math.max(options.streamIdleSeconds ?? 120, 8), 960),
    maxStreamBacklogBytes: Math.min(options.maxStreamBacklogBytes ?? 64 * MIB, MAX_INT32),
    streamCompression: options.streamCompression ?? false,
    tenantHeader: options.tenantHeader ?? '',
    forward: options.forward,
    startedSeconds: Math.floor(Date.now() / 1000),
    texts: options.texts ?? DEFAULT_TEXTS,
    nowNs: () => options.clock.nowNs(),
    onRefused: options.onRefused ?? (() => {}),
    watch: options.watch,
    clientMemory: options.clientMemory,
    cors: options.cors && new CrossOrigin(options.cors),
    errors: options.tritonErrors === true ? tritonError : undefined,
    apiKeys: apiKeys(options.restrictions ?? [], '', 'API'),
    notReadyStatus: options.tritonErrors === true ? TRITON_NOT_READY_STATUS : ERRORS.VERSION_NOT_READY.http,
  };
}
