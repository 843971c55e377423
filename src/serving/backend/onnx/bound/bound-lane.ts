import {
  type Batch,
  type BatchOutcome,
  type Clock,
  executedRows,
  type Lane,
  type ModelSpec,
  ServingError,
  type TensorSpec,
} from '../../../../core/index.js';
import { callGate, type GatedCall } from '../call-gate.js';
import { cudaRuntime } from '../cuda-runtime.js';
import { LaneRun } from '../lane-run.js';
import { cancelledError, runFailure } from '../run-failure.js';
import { runReturned, runStarted } from '../runs-in-flight.js';
import type { OrtSession } from '../session.js';
import { check, OrtFailure, takeFailure } from '../status.js';
import { type Binding, Bindings } from './bindings.js';
import { gatherRows, sizeFor, viewRows } from './bound-rows.js';
import { BoundTensor } from './bound-tensor.js';
import type { BoundDevice } from './program-block.js';
import type { ProgramThread } from './program-thread.js';
import { programOf, STEP } from './run-program.js';
import { SessionMemory, tensorsOnDevice } from './session-memory.js';

type Settle = (outcome: BatchOutcome) => void;

export interface BoundLaneOptions {
  readonly session: OrtSession;
  /** Every tensor has a fixed shape (`whyUnbound`). */
  readonly spec: ModelSpec;
  readonly clock: Clock;
  readonly runConfig: ReadonlyMap<string, string>;
  readonly device: BoundDevice;
  /** Lock the pages of its buffers. */
  readonly pinned: boolean;
  /** Sizes that batches are padded up to, ascending, each with a CUDA graph; undefined = every size as it comes, no graph. */
  readonly graphSizes: readonly number[] | undefined;
}

/** OrtFailure's code for what did not come from ONNX Runtime (`ORT_FAIL`). */
const FAIL = 1;

/**
 * A lane whose tensors stay at fixed places, on the device where the session has them there: a run copies in, runs with an
 * IO binding and copies out, all in a thread of its own. That is what CUDA graphs need, and saves ONNX Runtime its own
 * allocations and copies of each run otherwise.
 */
export class BoundLane implements Lane, GatedCall {
  onBroken?: () => void;
  readonly #options: BoundLaneOptions;
  readonly #memory: SessionMemory;
  readonly #inputs: readonly BoundTensor[];
  readonly #outputs: readonly BoundTensor[];
  readonly #bindings: Bindings;
  readonly #thread: ProgramThread;
  #binding: Binding | undefined;
  readonly #run: LaneRun;
  #rows = 0;
  #broken = false;
  #closing: Promise<void> | undefined;
  #prepared = false;
  /** Tensors whose pages are locked. */
  readonly #locked: BoundTensor[] = [];

  constructor(options: BoundLaneOptions, thread: ProgramThread) {
    this.#options = options;
    const { session, spec, device, clock } = options;
    this.#run = new LaneRun(session, clock);
    const { library } = session;
    const on = tensorsOnDevice(session, device);
    const memory = new SessionMemory(session, device);
    this.#memory = memory;
    const made: BoundTensor[] = [];
    const make = (names: Set<string>) => (tensor: TensorSpec) => {
      const onDevice = names.has(tensor.name);
      if (!onDevice && options.graphSizes !== undefined && device.copies !== 'none') {
        throw new ServingError('UNSUPPORTED', `CUDA graphs: tensor '${tensor.name}' is not on the GPU`);
      }
      made.push(new BoundTensor(library, tensor, spec.maxBatchSize, onDevice ? memory : undefined));
      return made.at(-1) as BoundTensor;
    };
    try {
      this.#inputs = spec.inputs.map(make(on.inputs));
      this.#outputs = spec.outputs.map(make(on.outputs));
    } catch (error) {
      for (const tensor of made) tensor.close();
      memory.close();
      throw error;
    }
    this.#bindings = new Bindings({ ...options, inputs: this.#inputs, outputs: this.#outputs });
    this.#thread = thread;
    session.lanes.add(this);
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** Its thread has ended. */
  lost(): void {
    this.#broken = true;
    this.onBroken?.();
  }

  /** Locks pages, and runs every size with a graph once: its capture. Called once, when nothing else uses the GPU. */
  async prepare(): Promise<void> {
    const { device, pinned, graphSizes = [], session } = this.#options;
    for (const tensor of pinned && device.copies === 'cuda' ? [...this.#inputs, ...this.#outputs] : []) {
      const failure = await this.#perform(programOf([tensor.host.lockStep]));
      if (failure !== undefined) throw runFailure(failure, session, false);
      this.#locked.push(tensor);
    }
    for (const rows of graphSizes) {
      const failure = await this.#perform(this.#bindings.of(rows).program);
      if (failure !== undefined) throw runFailure(failure, session, false);
    }
    this.#prepared = true;
  }

  /** What a program failed with, or undefined. */
  #perform(program: Float64Array): Promise<unknown> {
    return new Promise((resolve) => {
      this.#thread.perform(program, (error, step, result) => resolve(this.#failureOf(error, step, result)));
    });
  }

  async #unlock(): Promise<void> {
    for (const { host } of this.#locked.splice(0)) await this.#perform(programOf([host.unlockStep]));
  }

  run(batch: Batch, settle: Settle): void {
    const run = this.#run;
    if (!run.take(settle)) return;
    try {
      this.#rows = executedRows(batch);
      const size = sizeFor(this.#rows, this.#options.graphSizes ?? []);
      this.#binding = this.#bindings.of(size);
      for (let i = 0; i < this.#inputs.length; i++) gatherRows(this.#inputs[i] as BoundTensor, batch, i, size);
      run.gathered();
      callGate.enter(this);
    } catch (error) {
      run.gathered();
      run.failSoon(runFailure(error, this.#options.session, false));
    }
  }

  /** Called by the call gate when it is this run's turn. */
  begin(): void {
    this.#run.begun();
    runStarted(this);
    this.#options.session.runs++;
    this.#thread.perform((this.#binding as Binding).program, (error, step, result) =>
      this.#returned(this.#failureOf(error, step, result)),
    );
  }

  cancel(): void {
    const run = this.#run;
    if (run.cancelled) return;
    if (run.phase === 'running') {
      run.cancelled = true;
      const { api } = this.#options.session.library;
      check(api, api.RunOptionsSetTerminate((this.#binding as Binding).runOptions));
    } else if (run.phase === 'waiting' && callGate.withdraw(this)) {
      run.cancelled = true;
      run.failSoon(cancelledError());
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#run.close();
    // In the middle of its opening it is alone already.
    if (this.#locked.length > 0 && this.#prepared) await callGate.pass(() => this.#unlock());
    else await this.#unlock();
    await this.#thread.close();
    this.#options.session.lanes.delete(this);
    this.#bindings.close();
    for (const tensor of [...this.#inputs, ...this.#outputs]) tensor.close();
    this.#memory.close();
  }

  /** What a program failed with, or undefined. */
  #failureOf(error: ServingError | undefined, step: number, result: number): unknown {
    if (error !== undefined) return error;
    if (result === 0) return undefined;
    if (step === STEP.run) return takeFailure(this.#options.session.library.api, result);
    return new OrtFailure(FAIL, `CUDA failure ${result}: ${cudaRuntime()?.cudaGetErrorString(result)}`);
  }

  #returned(failure: unknown): void {
    const { session, clock, spec } = this.#options;
    const finishedNs = clock.nowNs();
    const run = this.#run;
    runReturned(this);
    session.runs--;
    callGate.done();
    // Or the next run of this size dies before its first node.
    const { api } = session.library;
    if (run.cancelled) check(api, api.RunOptionsUnsetTerminate((this.#binding as Binding).runOptions));
    if (failure !== undefined) {
      run.failed(failure, finishedNs);
      return;
    }
    const outputs = this.#outputs.map((output) => viewRows(output, this.#rows, spec));
    run.finish({ kind: 'done', outputs, timing: run.timing(finishedNs) });
  }
}
