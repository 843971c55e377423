import type { ServerConfig } from '../config/index.js';
import type { Clock, GateReport, IndexEntry, Log, VersionHost } from '../core/index.js';
import type { ModelRepository } from '../models/index.js';

/** Where text or bytes go. */
export interface Sink {
  write(chunk: string | Uint8Array): void;
}

export interface Listener {
  readonly address: string;
  readonly port: number;
  /** Whether it speaks TLS: HTTPS and WSS. */
  readonly tls?: boolean;
}

/** A gateway that runs in this process. */
export interface RunningServer {
  /**
   * Resolves when models are loaded (or failed) and requests are taken; rejects where it cannot serve at all, and then `done` may
   * come first. Always settles.
   */
  readonly ready: Promise<void>;
  /** Where it listens, ports as taken; undefined where a protocol is off. Valid once ready. */
  readonly addresses: {
    readonly http: Listener | undefined;
    readonly grpc: Listener | undefined;
    readonly metrics: Listener | undefined;
    readonly admin: Listener | undefined;
  };
  /** Servers of cloud platforms' routes, with where requests go. */
  readonly platforms?: readonly (Listener & { readonly name: string; readonly path: string })[];
  /** Admits no more, drains, ends; resolves when all is closed. Idempotent. */
  stop(): Promise<void>;
  /** The exit code, once it has ended for whatever reason. */
  readonly done: Promise<number>;
  /** Every model version with its state and, where it is not ready, the reason. */
  models(): readonly IndexEntry[];
  /** What the gates find of a version, beside another one; never rejects. */
  gate(model: string, version: number, baseline: number | undefined): Promise<GateReport>;
  /** A line to paste that asks a bundled model something real. */
  readonly hint?: string | undefined;
}

/** What `doctor` asks of the machine. Each throws a sentence where it cannot. */
export interface MachineProbes {
  /** Loads the HTTP library; returns its version. */
  loadHttp(): string;
  /** Loads ONNX Runtime as the native engine does. */
  loadOnnxRuntime(): { readonly version: string; readonly path: string };
}

/** All that the commands have of the world; `main.ts` alone touches the process. */
export interface CliIo {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths start from. */
  readonly cwd: string;
  /** Whether a person reads standard output. */
  readonly isTTY: boolean;
  /** Version of the program. */
  readonly version: string;
  /** Calls `handler` on SIGINT and SIGTERM until the returned function is called. */
  onSignal(handler: (signal: string) => void): () => void;
  /** Builds and starts a gateway; `versions`: of models whose version policy does not count. */
  serve(config: ServerConfig, versions?: ReadonlyMap<string, readonly number[]>): Promise<RunningServer>;
  /** The models of a configuration on this machine's backends, for a host of the command's own; nothing is loaded yet. */
  openModels(
    config: ServerConfig,
    hostOf: (parts: { readonly clock: Clock; readonly log: Log }) => VersionHost,
  ): ModelRepository;
  readonly machine: MachineProbes;
}
