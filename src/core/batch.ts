import type { DeviceMeter } from './cost-meter.js';
import type { DeviceFault } from './device-state.js';
import type { ServingError } from './errors.js';
import type { Parameters } from './inference.js';
import type { Lease } from './lease.js';
import type { ModelVersionId } from './model.js';
import type { Tensor } from './tensor.js';

/** One request's part of a batch: its inputs in the order of the model's spec; undefined where an optional one is absent. */
export interface BatchMember {
  readonly inputs: readonly (Tensor | undefined)[];
  /** Rows along the batch axis; 1 for a model without one (then it is the only member). */
  readonly rows: number;
  /** Of the request: a lane that reads the inputs in place holds it until its run has returned (see `Lease`). */
  readonly lease?: Lease | undefined;
  /** Of the request, where the model takes them (`ModelSpec.takesParameters`) and it has any; absent: none. */
  readonly parameters?: Parameters | undefined;
  /** Of a decoupled model's request: where the responses before the last one go; absent: nobody wants them. */
  readonly parts?: PartSink;
}

/** Takes the responses of one request but the last, which is the execution's outcome. */
export interface PartSink {
  /**
   * `outputs` in the order of the model's spec, valid until this returns. `taken` is called once when the caller has taken
   * them, at once or later, or never where the request has ended: who computes goes on without only within a bound.
   */
  part(outputs: readonly Tensor[], taken: () => void): void;
}

/**
 * What one execution computes. All members agree in everything `BatchKey` names (version, data types, shapes less the
 * batch axis and length axes that are padded, which optional inputs are present). Frozen once it is handed to an executor.
 */
export interface Batch {
  readonly version: ModelVersionId;
  readonly members: readonly BatchMember[];
  /** Sum of the members' rows. */
  readonly rows: number;
  /** What the lane fills it up to; absent: nothing is padded. */
  readonly padded?: PaddedTo;
}

/** The shape of an execution that is larger than its members. */
export interface PaddedTo {
  /** Rows of the execution, at least the batch's: dummy ones follow, which repeat its first row. */
  readonly rows: number;
  /** Size of every length axis (`TensorSpec.lengthAxes`), at least that of every member; 0: the members' own. */
  readonly length: number;
}

/** Rows that a lane runs, and that outputs have. */
export function executedRows(batch: Batch): number {
  return batch.padded === undefined ? batch.rows : batch.padded.rows;
}

/** Monotonic nanoseconds of one execution; a stage that was not reached repeats the stage before it. */
export interface BatchTiming {
  /** The executor took the batch. */
  readonly takenNs: number;
  /** Inputs lie in the lane. */
  readonly gatheredNs: number;
  /** The carrier began to run it (equal to `gatheredNs` where that cannot be seen). */
  readonly startedNs: number;
  readonly finishedNs: number;
}

/**
 * The end of one execution. `outputs` hold all outputs of the model, in the order of its spec, batch axis and padding
 * included; they are views of the lane, valid only until the settle callback returns. Of a decoupled model they may be none.
 */
export type BatchOutcome =
  | { readonly kind: 'done'; readonly outputs: readonly Tensor[]; readonly timing: BatchTiming }
  | {
      readonly kind: 'failed';
      readonly error: ServingError;
      readonly timing: BatchTiming;
      /** Set where the failure is the device's, not the batch's. */
      readonly deviceFault?: DeviceFault;
    };

export interface BatchHandle {
  /** Where it runs, where the instances are on several devices. */
  readonly device?: string | undefined;
  /** Of the device that it runs on; absent: its time is not metered. */
  readonly meter?: DeviceMeter | undefined;
  /** When it is settled, and where it is metered: its part of the device's time, in nanoseconds. */
  readonly deviceNs?: number;
  /** Nobody waits any more: stop at the next node boundary. The settle callback is still called, once. */
  cancel(): void;
}

/**
 * Where the batches of one version run. Batches are pulled: the batcher forms a batch only when a slot is free.
 * Serialisable in spirit: nothing but descriptors and shared buffers, so that a child process can implement it.
 */
export interface Executor {
  /** Executions that could start now. */
  freeSlots(): number;
  /** Executions that can run at once, those that run now included; less while some are out of service. */
  slots(): number;
  /** Where `execute` would run a batch now: `cuda:1`. Undefined where no slot is free, or all instances are on one device. */
  nextDevice?(): string | undefined;
  /** True where its runs are so short that they are likely to hold the thread that starts them. */
  holdsThread?(): boolean;
  /** Called (synchronously, outside `execute`) whenever a slot becomes free. One listener: the batcher of the version. */
  onSlotFree: () => void;
  /**
   * Starts one execution. Throws (our mistake) where no slot is free. `settle` is called exactly once, never before
   * `execute` returns; the slot of the next batch is offered before `settle`, so that a lane never waits for replies.
   */
  execute(batch: Batch, settle: (outcome: BatchOutcome) => void): BatchHandle;
}
