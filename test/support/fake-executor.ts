import {
  type Batch,
  type BatchHandle,
  type BatchOutcome,
  type Clock,
  type Executor,
  type Lease,
  offerToLend,
  ServingError,
  type Tensor,
} from '../../src/core/index.js';

/** One execution as a test sees it. */
export interface FakeExecution {
  readonly batch: Batch;
  readonly startedNs: number;
  /** Nobody waits any more: the batcher said so. */
  readonly cancelled: boolean;
  readonly ended: boolean;
  /** Ends it now with these outputs, or with an error. */
  finish(end: readonly Tensor[] | ServingError): void;
}

export interface FakeExecutorOptions {
  readonly clock: Clock;
  /** Executions at once; default 1. */
  readonly slots?: number;
  /** How long an execution takes; undefined: it ends when the test calls `finish`. */
  readonly serviceNs?: (batch: Batch) => number;
  /** What it computes; the default gives the first input back as output `y`. A `ServingError` fails the execution. */
  readonly compute?: (batch: Batch) => readonly Tensor[] | ServingError;
  /** Its outputs may be kept (`lend`); they are overwritten when nobody keeps them any more. */
  readonly lends?: boolean;
  /** How long after `cancel` an execution ends with `CLIENT_CANCELLED`; undefined: it goes on to its end. */
  readonly cancelNs?: number;
}

/**
 * Runs batches on a clock. It keeps the port's promises to the letter: a slot is offered before `settle`, and the outputs
 * are overwritten once `settle` returned, so that whoever kept a view reads rubbish.
 */
export class FakeExecutor implements Executor {
  nextDevice?: () => string | undefined;
  onSlotFree: () => void = () => {};
  readonly executions: FakeExecution[] = [];
  readonly #options: FakeExecutorOptions;
  #slots: number;
  #busy = 0;
  mostBusy = 0;

  constructor(options: FakeExecutorOptions) {
    this.#options = options;
    this.#slots = options.slots ?? 1;
  }

  get busy(): number {
    return this.#busy;
  }

  /** Lanes that fail or come back. */
  setSlots(slots: number): void {
    const more = slots > this.#slots;
    this.#slots = slots;
    if (more) this.onSlotFree();
  }

  freeSlots(): number {
    return Math.max(this.#slots - this.#busy, 0);
  }

  slots(): number {
    return this.#slots;
  }

  execute(batch: Batch, settle: (outcome: BatchOutcome) => void): BatchHandle {
    if (this.freeSlots() === 0) throw new Error('no slot is free');
    this.#busy++;
    this.mostBusy = Math.max(this.mostBusy, this.#busy);
    const { clock, serviceNs, compute = echo, cancelNs, lends = false } = this.#options;
    const takenNs = clock.nowNs();
    let settled = false;
    const end = (result: readonly Tensor[] | ServingError) => {
      if (execution.ended) return;
      execution.ended = true;
      timer?.clear();
      this.#busy--;
      this.onSlotFree();
      settled = true;
      const timing = { takenNs, gatheredNs: takenNs, startedNs: takenNs, finishedNs: clock.nowNs() };
      if (result instanceof ServingError) {
        settle({ kind: 'failed', error: result, timing });
        return;
      }
      const memory = result.map(({ data }) => new FakeMemory(data, lends));
      settle({ kind: 'done', outputs: result, timing });
      for (const one of memory) one.release();
    };
    const execution = { batch, startedNs: takenNs, cancelled: false, ended: false, finish: end };
    let timer =
      serviceNs === undefined ? undefined : clock.setTimer(takenNs + serviceNs(batch), () => end(compute(batch)));
    this.executions.push(execution);
    return {
      cancel: () => {
        if (settled) throw new Error('cancelled after its end');
        if (execution.ended || execution.cancelled) return;
        execution.cancelled = true;
        if (cancelNs === undefined) return;
        timer?.clear();
        const stopped = new ServingError('CLIENT_CANCELLED', 'the run was stopped');
        timer = clock.setTimer(clock.nowNs() + cancelNs, () => end(stopped));
      },
    };
  }
}

/** Memory of one output: overwritten when its executor and all who keep it are done with it. */
class FakeMemory implements Lease {
  readonly bytes: Uint8Array;
  #references = 1;

  constructor(bytes: Uint8Array, lends: boolean) {
    this.bytes = bytes;
    if (!lends) return;
    offerToLend(bytes.buffer, {
      lend: () => {
        this.retain();
        return this;
      },
    });
  }

  retain(): void {
    if (this.#references === 0) throw new Error('kept after its end');
    this.#references++;
  }

  release(): void {
    if (this.#references === 0) throw new Error('given back twice');
    if (--this.#references === 0) this.bytes.fill(0xee);
  }
}

/** The members' first inputs, one after the other, as output `y`. */
export function echo(batch: Batch): readonly Tensor[] {
  const inputs = batch.members.map((member) => member.inputs[0] as Tensor);
  const first = inputs[0] as Tensor;
  const data = new Uint8Array(inputs.reduce((bytes, input) => bytes + input.data.byteLength, 0));
  let at = 0;
  for (const input of inputs) {
    data.set(input.data, at);
    at += input.data.byteLength;
  }
  return [{ name: 'y', dataType: first.dataType, shape: [batch.rows, ...first.shape.slice(1)], data }];
}
