import {
  type ApiGroup,
  type ClientMemory,
  type Clock,
  type ErrorView,
  type LeaseSource,
  type Log,
  type Offload,
  type Reason,
  type RequestWatch,
  type Restriction,
  tritonError,
} from '../../../core/index.js';
import { OWN_ROOM, type ReplyRoom } from '../../codec/index.js';
import { ByteBudget } from '../byte-budget.js';
import { RequestMemory } from '../client-memory/request-memory.js';
import type { TextOptions } from '../http/http-options.js';
import { InFlight } from '../in-flight.js';
import type { ControlPort, InferencePort, ListeningServer, SpecPort } from '../ports.js';
import { type ApiKey, apiKeys } from '../restrictions.js';
import type { TlsFiles } from '../tls/tls-files.js';
import type { UnixSocketPlace } from '../unix-socket.js';

export interface GrpcOptions {
  readonly inference: InferencePort;
  readonly specs: SpecPort;
  readonly control: ControlPort;
  readonly clock: Clock;
  readonly log: Log;
  /** What protocols of texts go by; default: texts are not served. */
  readonly texts?: TextOptions;
  /** Makes tokens of texts, and inflates large messages; without one texts are not served, and zlib's own threads inflate. */
  readonly offload?: Offload;
  /** Pooled memory for messages; default none: all is garbage-collected. */
  readonly memory?: LeaseSource;
  /** IPv4, IPv6 or host name; default 127.0.0.1. */
  readonly address?: string;
  /** 0 = any free port. */
  readonly port: number;
  /** A Unix socket to listen on beside the port; default none. */
  readonly unixSocket?: UnixSocketPlace;
  /** Whether servers of other threads listen on the port as well; default false: a port is one server's. */
  readonly shared?: boolean;
  /** Largest message, before and after decompression; default 64 MiB. */
  readonly maxInputBytes?: number;
  /** Requests in flight and answers that are not read yet, together, in bytes; default eight times `maxInputBytes`. */
  readonly maxInFlightBytes?: number;
  /** Requests of one ModelStreamInfer stream that are not answered yet; the rest waits unread. Default 256. */
  readonly maxStreamRequests?: number;
  /** What ModelStreamInfer answers with: Triton's ModelStreamInferResponse, or MLServer's ModelInferResponse. Default triton. */
  readonly streamForm?: 'triton' | 'mlserver';
  /** Calls open at once on one connection; default 1024. */
  readonly maxConcurrentStreams?: number;
  /** Streams of the health service's Watch, over all connections; default 1024. */
  readonly maxWatchers?: number;
  /** Milliseconds a client has to read an answer, and one more for each 64 bytes of it; default 60000, 0 = no limit. */
  readonly answerTimeoutMs?: number;
  /** Milliseconds between the server's pings on a connection; default 60000, 0 = none. */
  readonly keepaliveTimeMs?: number;
  /** Milliseconds a ping may stay without answer before its connection is closed; default 20000. */
  readonly keepaliveTimeoutMs?: number;
  /** Milliseconds after which a connection is told to go away and come back; default none. */
  readonly maxConnectionAgeMs?: number;
  /** Milliseconds that calls on such a connection have to end; default none. */
  readonly maxConnectionAgeGraceMs?: number;
  /** Metadata key that names a request's tenant, in lower case; default none. */
  readonly tenantHeader?: string;
  /** Names of metadata that become parameters of requests (`forwardPattern`); default none. */
  readonly forward?: RegExp | undefined;
  /** Whether errors are answered with Triton's codes and words; default false. */
  readonly tritonErrors?: boolean;
  /** Groups of calls that need a key; default none. */
  readonly restrictions?: readonly Restriction[];
  /** Memory that clients have registered; default: none may. */
  readonly clientMemory?: ClientMemory | undefined;
  /** TLS on the port and the Unix socket; default: none. */
  readonly tls?: TlsFiles | undefined;
  /** How long `close` waits for answers that clients read slowly; default 10000. */
  readonly closeTimeoutMs?: number;
  /** Told of each inference that was refused here, before the data path saw it (malformed, too large, draining). */
  readonly onRefused?: (reason: Reason) => void;
  /** Told of each inference from its message to its answer; default: nobody is. */
  readonly watch?: RequestWatch | undefined;
}

export interface GrpcServer extends ListeningServer {
  /** Reads readiness again and tells the clients that watch the health service; for whoever changes readiness to call. */
  refreshHealth(): void;
}

/** What all calls of one gRPC server share. */
export interface GrpcState {
  readonly inference: InferencePort;
  readonly specs: SpecPort;
  readonly control: ControlPort;
  readonly clock: Clock;
  readonly log: Log;
  /** Undefined: texts are not served. */
  readonly texts: TextOptions | undefined;
  readonly offload: Offload | undefined;
  readonly budget: ByteBudget;
  /** Of answers: memory of their own, for HTTP/2 may read a frame after its stream was reset. */
  readonly room: ReplyRoom;
  readonly inFlight: InFlight;
  readonly maxInputBytes: number;
  readonly maxStreamRequests: number;
  readonly streamForm: 'triton' | 'mlserver';
  readonly maxWatchers: number;
  readonly tenantHeader: string;
  readonly forward: RegExp | undefined;
  readonly nowNs: () => number;
  readonly onRefused: (reason: Reason) => void;
  readonly watch: RequestWatch | undefined;
  /** How errors look to clients; undefined: as they are. */
  readonly errors: ErrorView | undefined;
  /** What tensors in memory of its client take part in a request by; undefined: none may. */
  readonly requestMemory: (() => RequestMemory) | undefined;
  /** Of the groups that are restricted. */
  readonly apiKeys: ReadonlyMap<ApiGroup, ApiKey>;
}

/** Largest message by default, as for HTTP bodies. */
export const DEFAULT_MAX_INPUT_BYTES = 64 * 1024 * 1024;

/** The options with their defaults, and the shared counters. */
export function grpcState(options: GrpcOptions): GrpcState {
  const maxInputBytes = options.maxInputBytes ?? DEFAULT_MAX_INPUT_BYTES;
  const budget = new ByteBudget(options.maxInFlightBytes ?? 8 * maxInputBytes);
  const { clientMemory } = options;
  return {
    requestMemory: clientMemory && (() => new RequestMemory(clientMemory, budget, maxInputBytes)),
    inference: options.inference,
    specs: options.specs,
    control: options.control,
    clock: options.clock,
    log: options.log,
    texts: options.texts,
    offload: options.offload,
    room: { ...OWN_ROOM, copy: options.memory?.copy ?? OWN_ROOM.copy },
    budget,
    inFlight: new InFlight(),
    maxInputBytes: options.maxInputBytes ?? DEFAULT_MAX_INPUT_BYTES,
    maxStreamRequests: options.maxStreamRequests ?? 256,
    streamForm: options.streamForm ?? 'triton',
    maxWatchers: options.maxWatchers ?? 1024,
    tenantHeader: options.tenantHeader ?? '',
    forward: options.forward,
    nowNs: () => options.clock.nowNs(),
    onRefused: options.onRefused ?? (() => {}),
    watch: options.watch,
    apiKeys: apiKeys(options.restrictions ?? [], 'triton-grpc-protocol-', 'protocol'),
    errors: options.tritonErrors === true ? tritonError : undefined,
  };
}
