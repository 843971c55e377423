import type { ServerConfig } from '../config/index.js';
import { ServingError } from '../core/index.js';
import type { ListeningPorts } from '../serving/ingress/index.js';
import type { Share } from './listeners.js';

/** What an ingress thread is given beside its ports and memory. */
export interface IngressSettings {
  readonly config: ServerConfig;
  readonly share: Share;
  /** Threads for large JSON and decompression. */
  readonly offloadThreads: number;
  /** When the count of the control thread's clock began, see `clockOriginNs`. */
  readonly clockOriginNs: number;
  /** Where refusals are counted. */
  readonly refused: SharedArrayBuffer;
}

/** The configuration with the ports that were found where it asks for any. */
export function withPorts(config: ServerConfig, ports: ListeningPorts): ServerConfig {
  return {
    ...config,
    http: { ...config.http, port: ports.http ?? config.http.port },
    grpc: { ...config.grpc, port: ports.grpc ?? config.grpc.port },
  };
}

/**
 * How many ingress threads a configuration asks for. `auto`: none where the cores are few, for then a thread more takes from
 * the models what it gives to the sockets (figures in decisions/0010), and none but on Linux, where alone the system shares
 * out the connections of a port. Throws `UNSUPPORTED` for several elsewhere.
 */
export function ingressThreads(threads: ServerConfig['ingress']['threads'], cores: number, platform: string): number {
  if (threads !== 'auto') {
    if (threads <= 1 || platform === 'linux') return threads;
    throw new ServingError(
      'UNSUPPORTED',
      `--ingress-threads ${threads}: only Linux shares a port among threads; at most 1 here`,
    );
  }
  if (platform !== 'linux' || cores <= 4) return 0;
  return Math.min(4, Math.floor(cores / 4));
}
