import type { ServerConfig } from '../config/index.js';
import type { ListeningPorts } from '../serving/ingress/index.js';
import type { AccessSourceSettings } from './access-log.js';
import type { CaptureTapSettings } from './capture-line.js';
import type { ClientMemorySettings } from './client-memory.js';
import type { Share } from './listeners.js';
import type { TimelineSourceSettings } from './timelines.js';
import type { TraceSourceSettings } from './tracing.js';

/** What an ingress thread is given beside its ports and memory. */
export interface IngressSettings {
  readonly config: ServerConfig;
  readonly share: Share;
  /** Threads for large JSON and decompression. */
  readonly offloadThreads: number;
  /** When the count of the control thread's clock began, see `monotonicOriginNs`. */
  readonly clockOriginNs: number;
  /** Where refusals are counted. */
  readonly refused: SharedArrayBuffer;
  /** Of the board on which budgets refuse requests. */
  readonly budgets: SharedArrayBuffer;
  /** Undefined: no traces are made. */
  readonly traces: TraceSourceSettings | undefined;
  /** Of Triton's traces. */
  readonly timelines: TimelineSourceSettings;
  /** Undefined: no memory of clients is taken. */
  readonly clientMemory: ClientMemorySettings | undefined;
  /** Of the captures and the payload log, as far as there are any. */
  readonly taps: readonly CaptureTapSettings[];
  /** Undefined: there is no access log. */
  readonly access: AccessSourceSettings | undefined;
}

/** The configuration with the ports that were found where it asks for any. */
export function withPorts(config: ServerConfig, ports: ListeningPorts): ServerConfig {
  return {
    ...config,
    http: { ...config.http, port: ports.http ?? config.http.port },
    grpc: { ...config.grpc, port: ports.grpc ?? config.grpc.port },
  };
}
