import {
  type Batch,
  type BatchOutcome,
  type BatchTiming,
  type Clock,
  executedRows,
  type Lane,
  type ModelSpec,
  type Parameters,
  ServingError,
  type Tensor,
  type TensorSpec,
} from '../../../core/index.js';
import { BatchInput, carryShape, checkOutputShape, OutputBuffers } from '../../backend/index.js';
import type { ModelWorker } from './model-worker.js';
import type { PartTensor } from './part-message.js';
import { alignUp, SharedMemory } from './shared-memory.js';
import type { FailedReply, LaneLayout, RanReply, RunTask, TensorPlace } from './thread-message.js';

/**
 * A lane of an instance that runs in a worker. The main thread copies a batch's inputs once, into memory that the worker
 * reads; outputs are read where the worker wrote them, and stay there while somebody keeps them: the worker goes on in other memory. Between them travel places and shapes.
 */
export class ThreadLane implements Lane {
  readonly #worker: ModelWorker;
  readonly #spec: ModelSpec;
  readonly #index: number;
  readonly #clock: Clock;
  readonly #inputs = new SharedMemory();
  readonly #gathers: readonly BatchInput[];
  #layout: LaneLayout | undefined;
  readonly #outputs = new OutputBuffers({ make: () => NO_MEMORY });
  #running = false;
  /** Of the run in flight of a decoupled model. */
  #cancel: (() => void) | undefined;
  #onIdle: (() => void) | undefined;
  onBroken?: () => void;

  constructor(worker: ModelWorker, spec: ModelSpec, index: number, clock: Clock) {
    this.#worker = worker;
    this.#spec = spec;
    this.#index = index;
    this.#clock = clock;
    this.#gathers = spec.inputs.map((input) => new BatchInput(input, spec.maxBatchSize > 0));
    this.#layout = {
      inputs: spec.inputs.map(({ name, dataType }) => ({ name, dataType })),
      outputs: spec.outputs.map(({ name, dataType, modelDims }) => ({ name, dataType, dims: modelDims })),
    };
  }

  get broken(): boolean {
    return this.#worker.gone;
  }

  run(batch: Batch, settle: (outcome: BatchOutcome) => void): void {
    const takenNs = this.#clock.nowNs();
    this.#running = true;
    let task: RunTask;
    try {
      task = this.#gather(batch);
    } catch (cause) {
      const error = new ServingError('OVERLOADED', 'no memory for the inputs of a batch', { cause });
      queueMicrotask(() => this.#settle(settle, { kind: 'failed', error, timing: this.#timing(takenNs, takenNs, 0) }));
      return;
    }
    const gatheredNs = this.#clock.nowNs();
    const ended = (reply: RanReply | FailedReply) =>
      this.#settle(settle, this.#outcome(reply, batch, takenNs, gatheredNs));
    if (this.#spec.decoupled === undefined) this.#worker.run(task, ended);
    else this.#cancel = this.#worker.stream(task, (tensors, taken) => this.#part(batch, tensors, taken), ended);
  }

  /**
   * A decoupled model's generator is ended where it stands. Nothing else can stop a script or a run of the binding but the end of
   * its thread, which is for the limit to decide.
   */
  cancel(): void {
    this.#cancel?.();
  }

  close(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #settle(settle: (outcome: BatchOutcome) => void, outcome: BatchOutcome): void {
    this.#running = false;
    this.#cancel = undefined;
    settle(outcome);
    this.#onIdle?.();
  }

  /** Writes the members' inputs, one after the other, to where the worker finds them. */
  #gather(batch: Batch): RunTask {
    const { inputs, maxBatchSize } = this.#spec;
    const batched = maxBatchSize > 0;
    const first = batch.members[0]?.inputs ?? [];
    const places: (TensorPlace | null)[] = [];
    let total = 0;
    inputs.forEach((spec, index) => {
      if (first[index] === undefined) {
        places.push(null);
        return;
      }
      const input = this.#gathers[index] as BatchInput;
      const bytes = input.bytes(batch, index);
      const shape = carryShape(input.shape(batch, index), spec.dims, spec.modelDims, batched);
      places.push({ offset: total, bytes, shape });
      total = alignUp(total + bytes);
    });
    this.#inputs.reserve(total);
    for (let index = 0; index < places.length; index++) {
      const place = places[index];
      if (place) this.#gathers[index]?.write(this.#inputs.bytes, place.offset, place.bytes, batch, index);
    }
    const layout = this.#layout;
    this.#layout = undefined;
    return {
      kind: 'run',
      lane: this.#index,
      stream: undefined,
      rows: batched ? executedRows(batch) : undefined,
      layout,
      memory: this.#inputs.toSend(),
      outputMemory: this.#outputs.now === undefined ? this.#otherMemory() : undefined,
      parameters: parametersByRow(batch),
      inputs: places,
    };
  }

  #outcome(reply: RanReply | FailedReply, batch: Batch, takenNs: number, gatheredNs: number): BatchOutcome {
    if (reply.kind === 'failed') {
      const timing = this.#timing(takenNs, gatheredNs, 0);
      return { kind: 'failed', error: new ServingError(reply.reason, reply.message), timing };
    }
    const timing = this.#timing(takenNs, gatheredNs, reply.computeNs);
    if (reply.memory !== undefined) this.#outputs.replace({ bytes: new Uint8Array(reply.memory) });
    try {
      const rows = executedRows(batch);
      if (this.#spec.decoupled && reply.outputs.length === 0) return { kind: 'done', outputs: [], timing };
      const outputs = this.#spec.outputs.map((spec, index) => this.#output(spec, reply.outputs[index], rows));
      return { kind: 'done', outputs, timing };
    } catch (error) {
      return { kind: 'failed', error: error as ServingError, timing };
    }
  }

  /** The last outputs are lent, or there were none. */
  #otherMemory(): SharedArrayBuffer {
    return (this.#outputs.takeLargest() ?? NO_MEMORY).bytes.buffer as SharedArrayBuffer;
  }

  /** A response that comes before the last one. */
  #part(batch: Batch, tensors: readonly PartTensor[], taken: () => void): void {
    const sink = batch.members[0]?.parts;
    // A warm-up: nobody reads it.
    if (sink === undefined) {
      taken();
      return;
    }
    const batched = this.#spec.maxBatchSize > 0;
    const outputs = this.#spec.outputs.map(({ name, dataType, dims, modelDims }, index) => {
      const { shape, data } = tensors[index] as PartTensor;
      return { name, dataType, shape: carryShape(shape, modelDims, dims, batched), data };
    });
    sink.part(outputs, taken);
  }

  #output(spec: TensorSpec, place: TensorPlace | undefined, rows: number): Tensor {
    const { name, dataType, dims, modelDims } = spec;
    if (place === undefined) throw new ServingError('BACKEND_FAILED', `the model gave no output '${name}'`);
    const batched = this.#spec.maxBatchSize > 0;
    checkOutputShape(spec, place.shape, rows, batched);
    const shape = carryShape(place.shape, modelDims, dims, batched);
    return {
      name,
      dataType,
      shape,
      data: (this.#outputs.now ?? NO_MEMORY).bytes.subarray(place.offset, place.offset + place.bytes),
    };
  }

  /** The hops between the threads count as dispatch: the worker tells only how long the model took. */
  #timing(takenNs: number, gatheredNs: number, computeNs: number): BatchTiming {
    const finishedNs = this.#clock.nowNs();
    return { takenNs, gatheredNs, startedNs: Math.max(gatheredNs, finishedNs - computeNs), finishedNs };
  }
}

/** One object a request, so that it is copied to the worker once. Rows of padding have none. */
function parametersByRow(batch: Batch): Parameters[] | undefined {
  if (batch.members.every(({ parameters }) => parameters === undefined)) return undefined;
  const rows = batch.members.flatMap(({ rows, parameters = NONE }) => new Array<Parameters>(rows).fill(parameters));
  while (rows.length < executedRows(batch)) rows.push(NONE);
  return rows;
}

const NONE: Parameters = Object.freeze({});
/** The worker makes what it needs. */
const NO_MEMORY = { bytes: new Uint8Array(new SharedArrayBuffer(0)) };
