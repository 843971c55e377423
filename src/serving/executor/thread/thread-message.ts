import type { MessagePort } from 'node:worker_threads';
import type { ModelSignature, OpenRequest, Parameters, ProviderShares, Reason } from '../../../core/index.js';
import type { ThreadOutputSpec } from '../../backend/index.js';

/** What the main thread asks of a worker; tensors lie in shared memory, only their places travel. */
export type WorkerTask = LoadTask | RunTask | CloseTask;

export interface LoadTask {
  readonly kind: 'load';
  /** URL of the module that opens this kind of model. */
  readonly module: string;
  readonly request: OpenRequest;
  readonly instance: number;
  /** Of decoupled models: where parts go (`PartMessage`) and what is told of them comes from; transferred. */
  readonly parts: MessagePort | undefined;
}

/** Where a tensor lies in its lane's memory. */
export interface TensorPlace {
  readonly offset: number;
  readonly bytes: number;
  readonly shape: readonly number[];
}

export interface RunTask {
  readonly kind: 'run';
  /** Lane of the worker's instance. */
  readonly lane: number;
  /** Undefined where the model has no batch axis. */
  readonly rows: number | undefined;
  /** Of decoupled models: the number of the run among those of its worker, from 1, ascending. */
  readonly stream: number | undefined;
  /** With a lane's first run. */
  readonly layout: LaneLayout | undefined;
  /** Where the inputs lie, when that memory is another than at the lane's last run. */
  readonly memory: SharedArrayBuffer | undefined;
  /** Where the outputs shall lie from now on, as far as there is room: what was there before is lent. Undefined: where they did. */
  readonly outputMemory: SharedArrayBuffer | undefined;
  /** Of the request that each row is of; undefined: no request of the batch has any. */
  readonly parameters: readonly Parameters[] | undefined;
  /** In the order of the layout; null = absent. */
  readonly inputs: readonly (TensorPlace | null)[];
}

/** Inputs and outputs of a lane in the order in which their places travel. */
export interface LaneLayout {
  readonly inputs: readonly Pick<ThreadOutputSpec, 'name' | 'dataType'>[];
  readonly outputs: readonly ThreadOutputSpec[];
}

export interface CloseTask {
  readonly kind: 'close';
}

/** A failure crosses as plain data. `kind` as in the replies that succeed. */
export interface FailedReply {
  readonly kind: 'failed';
  readonly reason: Reason;
  readonly message: string;
}

export interface LoadedReply {
  readonly kind: 'loaded';
  readonly signature: ModelSignature;
  readonly providers: ProviderShares;
  readonly fallback: string | undefined;
}

export interface RanReply {
  readonly kind: 'ran';
  /** Empty: a decoupled model has nothing more to say. */
  readonly outputs: readonly TensorPlace[];
  /** The outputs' memory, when it is another than at the lane's last run. */
  readonly memory: SharedArrayBuffer | undefined;
  /** Time inside the model, in nanoseconds. */
  readonly computeNs: number;
}

export interface ClosedReply {
  readonly kind: 'closed';
}

export type WorkerReply = LoadedReply | RanReply | ClosedReply | FailedReply;

/** What a worker is given when it starts. */
export interface WorkerSetup {
  /** Lines of console output sent and not yet taken (one counter), and lines dropped because too many were. */
  readonly console: Int32Array<SharedArrayBuffer>;
  /** Where the worker says how many bytes its JavaScript has (one number); undefined: nobody asks. */
  readonly heap: Float64Array<SharedArrayBuffer> | undefined;
  /** Most bytes that the outputs of one run may take together. */
  readonly maxOutputBytes: number;
}

/** One line that the model wrote to the console. */
export interface ConsoleLine {
  readonly kind: 'console';
  readonly level: 'info' | 'warn';
  readonly text: string;
}
