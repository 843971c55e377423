import type { Batch, BatchOutcome } from './batch.js';
import type { DataType } from './data-type.js';
import type { ModelSpec, ModelVersionId } from './model.js';

/** One input or output as the model file itself declares it. */
export interface SignatureTensor {
  readonly name: string;
  /** Undefined: a type the protocol has no name for; `foreignType` says which. Such a model refuses to load. */
  readonly dataType: DataType | undefined;
  readonly foreignType: string | undefined;
  /** All axes, the batch axis included; -1 = not fixed. Undefined where the file does not say. */
  readonly dims: readonly number[] | undefined;
  readonly optional: boolean;
}

export interface ModelSignature {
  readonly inputs: readonly SignatureTensor[];
  readonly outputs: readonly SignatureTensor[];
  /**
   * ONNX: initializers that a request may override. They are inputs only where a config names them, `optional: true`
   * (Triton's meaning); nothing is completed from them.
   */
  readonly overridable?: readonly SignatureTensor[];
}

export type DeviceKind = 'cpu' | 'cuda';

/** `count` executions at once on one device. */
export interface InstanceGroup {
  readonly device: DeviceKind;
  /** CUDA device index; 0 on CPU. */
  readonly deviceId: number;
  readonly count: number;
  /** What each of its instances needs to run, where instances are limited by resources. */
  readonly rateLimiter?: RateLimiter;
}

/** Triton's `ModelRateLimiter`. */
export interface RateLimiter {
  readonly resources: readonly { readonly name: string; readonly global: boolean; readonly count: number }[];
  /** An instance of priority 2 gets half the time of one of priority 1. */
  readonly priority: number;
}

/** How a lane's tensors are kept. */
export interface BindingPolicy {
  /** At fixed places on the device, bound once, instead of copied by each run. Needs fixed shapes. */
  readonly ioBinding: boolean;
  /** Lock the pages of the lane's own side of them, where they are copied to and from a GPU. */
  readonly pinnedMemory: boolean;
  /**
   * Batch sizes that each have a CUDA graph; batches are padded up to the next. Implies `ioBinding`, and a session (so the
   * weights) for each lane. Undefined = no graphs.
   */
  readonly cudaGraphBatchSizes: readonly number[] | undefined;
}

export interface ProviderPolicy {
  /** What to do where the device's provider cannot be used: fail the load, or serve on the CPU and say so. */
  readonly onGpuError: 'fail' | 'cpu';
  /** Refuse a model any node of which would fall back to the CPU silently. */
  readonly strict: boolean;
  /** Options passed to the provider as they are, e.g. `gpu_mem_limit`. */
  readonly options: Readonly<Record<string, string>>;
  /** Absent = nothing bound. */
  readonly binding?: BindingPolicy;
}

/** What it takes to open a version: files and options, nothing of the data path. */
export interface OpenRequest {
  readonly id: ModelVersionId;
  /** `onnxruntime`, `script` ... */
  readonly backend: string;
  /** ONNX only: `native` (C API through koffi) or `node` (onnxruntime-node's binding in workers). */
  readonly engine: 'native' | 'node';
  /** Absolute path of the model file, and of the version's folder. */
  readonly modelPath: string;
  /**
   * Files of external data that the model names, relative to its folder, checked. Undefined: not known; such a model is
   * never kept in compiled form.
   */
  readonly externalFiles?: readonly string[];
  readonly instances: readonly InstanceGroup[];
  readonly provider: ProviderPolicy;
  /** Triton's backend parameters (`intra_op_thread_count` ...), as strings. Unknown or unsupported ones are refused. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Triton's `optimization.graph.level`: -1 basic, 1 extended, 2 none; undefined = the default (all). */
  readonly graphLevel: number | undefined;
  /** A run past this marks its lane lost; 0 = no limit. */
  readonly maxExecutionMs: number;
  /** Its requests have any number of responses; then `maxExecutionMs` limits the time without one, where it can give one. */
  readonly decoupled?: Decoupled;
}

export interface Decoupled {
  /** Requests that one instance answers at once. */
  readonly requestsPerInstance: number;
}

/** Which provider really runs the nodes: share of graph nodes by provider, summing to 1. */
export type ProviderShares = Readonly<Record<string, number>>;

/** How the runs of a version on one device are carried now, and why. */
export interface CarrierUse {
  /** `cpu:0`, `cuda:1` ... */
  readonly device: string;
  /** `pool`, `thread` or `sync`. */
  readonly carrier: string;
  readonly why: string;
  /** What runs of late took at most, about, in microseconds; with the hop to another thread where they were on the pool. */
  readonly runUs: number;
}

/** Memory that an opened model has taken from the system for weights and intermediate results. */
export interface MemoryUse {
  readonly type: 'CPU' | 'CPU_PINNED' | 'GPU';
  /** Of the device; 0 for the CPU's. */
  readonly id: number;
  readonly bytes: number;
}

/**
 * A model file opened on its devices: weights in memory once per device, no buffers yet.
 */
export interface OpenedModel {
  readonly signature: ModelSignature;
  readonly providers: ProviderShares;
  /** Why it does not run where it was asked to, or undefined. */
  readonly fallback: string | undefined;
  /** Where each instance really runs, by its index; absent = where its group says. */
  readonly placements?: readonly Pick<InstanceGroup, 'device' | 'deviceId'>[];
  /** Creates one lane for the instance `instance` (index over all groups). Called `lanesPerInstance` times each. */
  createLane(spec: ModelSpec, instance: number): Promise<Lane>;
  /** Lanes an instance has: 2 where one can fill while the other runs, else 1. */
  readonly lanesPerInstance: number;
  /** How runs are carried, by device; absent where there is one way only. */
  carriers?(): readonly CarrierUse[];
  /** What it has of each kind of memory at the time of the call; absent, or without a kind: that is not measured. */
  memory?(): readonly MemoryUse[];
  /** Where to keep what was learned of its executions; absent where nothing is kept. */
  readonly kept?: KeptText | undefined;
  /** Releases everything; all lanes are closed before. Gives memory back to the system. */
  close(): Promise<void>;
}

/**
 * A text that lasts from one start of the program to the next, for one version: the same one where everything is the same
 * that the time of its executions depends on (files, engine, devices, threads, machine).
 */
export interface KeptText {
  /** Undefined where there is none, or none that can be read: the log says why. Never rejects. */
  read(): Promise<string | undefined>;
  /** Replaces it in one step. Never rejects: where it cannot be written the log says so. */
  write(text: string): Promise<void>;
}

/** A set of input and output buffers and what runs them. Holds one batch at a time. */
export interface Lane {
  /**
   * Copies the members' inputs into its buffers before it returns, or reads them where they lie and holds the member's
   * `lease` until the model has; runs off the event loop where that takes long. Calls `settle` exactly once, never before it
   * returns. Output views are valid until `settle` returns. Does not throw.
   */
  run(batch: Batch, settle: (outcome: BatchOutcome) => void): void;
  /** Asks the run in flight to stop as soon as it can; no effect where none is. */
  cancel(): void;
  /** True where its next run is so short that it is likely to hold the thread that asks: best begun when a turn ends. */
  readonly holdsThread?: boolean;
  /** True where the lane cannot be used again (its worker died, its run never ended): the executor replaces it. */
  readonly broken: boolean;
  /** Set by the lane's owner; a lane that can break between runs calls it once when it does. */
  onBroken?: () => void;
  /** Frees its buffers. Waits for the run in flight. */
  close(): Promise<void>;
}

export interface Backend {
  readonly name: string;
  /** The protocol's platform string of its models. */
  readonly platform: string;
  /** File a version's folder must hold, e.g. `model.onnx`. */
  readonly defaultModelFiles: readonly string[];
  /** Throws `MODEL_INVALID` (the file or its options), `UNSUPPORTED` (this machine cannot). */
  open(request: OpenRequest): Promise<OpenedModel>;
}
