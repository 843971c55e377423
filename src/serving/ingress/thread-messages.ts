import type { MessagePort } from 'node:worker_threads';
import type { LogFields, ModelSpec, ModelTraffic, ReleaseFact } from '../../core/index.js';
import type { CallMemory } from './call-table.js';
import type { WireError } from './wire-error.js';

/** "There is something in your ring": the one message of a call's way that is sent often. */
export const BELL = 0;

/** What a thread is started with, in `workerData`. `settings` are the entry's own. */
export interface ThreadStart<Settings> {
  readonly port: MessagePort;
  /** For what does not fit into rows; read on demand, never listened to. */
  readonly beside: MessagePort;
  /** What requests are routed by; read before each. */
  readonly tables: TablesReader;
  /** For responses of decoupled models that are not the last of their request. */
  readonly responses: MessagePort;
  readonly memory: CallMemory;
  readonly settings: Settings;
}

/** A version as threads are told of it. */
export interface PublishedVersion {
  /** What calls name it by; of one incarnation, never used again. */
  readonly number: number;
  readonly spec: ModelSpec;
  /** Where the thread counts its requests. */
  readonly figures: SharedArrayBuffer;
}

/** The end of the way of tables that a thread reads. */
export interface TablesReader {
  readonly port: MessagePort;
  /** One int32: how many tables were sent. A thread that has read less looks at the port, before it waits for anything. */
  readonly sent: SharedArrayBuffer;
}

/** What serves of a model from now on, and how requests find it. */
export interface PublishedTable {
  readonly publication: number;
  readonly model: string;
  readonly versions: readonly PublishedVersion[];
  readonly traffic: ModelTraffic;
  /** Number of the control thread's table that says this. */
  readonly table: number;
}

export type ToThread =
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly call: number; readonly error: WireError }
  | { readonly kind: 'facts-taken' }
  | { readonly kind: 'send-facts'; readonly call: number }
  | { readonly kind: 'refresh-health' }
  | { readonly kind: 'close-intake' }
  | { readonly kind: 'close' };

export type FromThread =
  | { readonly kind: 'started'; readonly slots: SharedArrayBuffer }
  | { readonly kind: 'cannot-start'; readonly error: WireError }
  | { readonly kind: 'routed'; readonly publication: number }
  | { readonly kind: 'ask'; readonly call: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly message: string; readonly fields?: LogFields }
  | { readonly kind: 'facts'; readonly facts: readonly ReleaseFact[]; readonly lost: number }
  | { readonly kind: 'facts-sent'; readonly call: number }
  | { readonly kind: 'closed' }
  | { readonly kind: 'crashed'; readonly cause: string };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Ports to listen on; undefined where the configuration switches a server off. */
export interface ListeningPorts {
  readonly http: number | undefined;
  readonly grpc: number | undefined;
}
