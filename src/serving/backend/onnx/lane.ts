import {
  type Batch,
  type BatchOutcome,
  type Clock,
  executedRows,
  type Lane,
  type ModelSpec,
  type Tensor,
} from '../../../core/index.js';
import type { InstanceCarriers, LaneCarrier } from './carrier/instance-carriers.js';
import { RUN_ARGUMENTS, type RunCall } from './carrier/run-call.js';
import type { InputSlot } from './input-slot.js';
import { LaneRun } from './lane-run.js';
import { type Address, NativeMemory } from './native-memory.js';
import { NumericInput } from './numeric-input.js';
import { createOutputSlot, type OutputSlot } from './output-slot.js';
import { cancelledError, deniesOutputShape, runFailure } from './run-failure.js';
import { runReturned, runStarted } from './runs-in-flight.js';
import type { OrtSession } from './session.js';
import { readShapeRules } from './shape-rule.js';
import { check, type OrtFailure, takeFailure } from './status.js';
import { StringInput } from './string-tensor.js';

type Settle = (outcome: BatchOutcome) => void;

/** Place of the number of inputs among the arguments of `Run`. */
const INPUT_COUNT = 4;

export interface OnnxLaneOptions {
  readonly session: OrtSession;
  readonly spec: ModelSpec;
  readonly clock: Clock;
  /** Entries of each run's configuration. */
  readonly runConfig: ReadonlyMap<string, string>;
  /** Of the lane's instance. */
  readonly carriers: InstanceCarriers;
}

/**
 * Buffers of one batch and the run over them, on a session shared with every other lane of the device. The lane itself is
 * the run's record: while its native call is in flight the module's set of runs holds it, and with it everything whose
 * address ONNX Runtime has.
 */
export class OnnxLane implements Lane, RunCall {
  readonly #session: OrtSession;
  readonly #clock: Clock;
  readonly #inputs: readonly InputSlot[];
  readonly #outputs: readonly OutputSlot[];
  readonly #runOptions: Address;
  /** Arrays that Run reads and writes: names and values of the inputs that are there, and of all outputs. */
  readonly #inputNames: NativeMemory;
  readonly #inputValues: NativeMemory;
  readonly #outputNames: NativeMemory;
  readonly #outputValues: NativeMemory;
  /** See `RunCall`: addresses and counts, fixed but for the number of inputs. */
  readonly values = new Float64Array(RUN_ARGUMENTS);
  readonly #carrier: LaneCarrier;
  readonly #run: LaneRun;
  #rows = 0;
  #inputBytes = 0;
  #broken = false;
  #closing: Promise<void> | undefined;

  constructor({ session, spec, clock, runConfig, carriers }: OnnxLaneOptions) {
    const { library } = session;
    this.#session = session;
    this.#clock = clock;
    this.#run = new LaneRun(session, clock);
    this.#inputs = spec.inputs.map((input) =>
      input.dataType === 'BYTES'
        ? new StringInput(library, input, spec.maxBatchSize > 0)
        : new NumericInput(library, input, spec.maxBatchSize),
    );
    const rules = readShapeRules(library, session.address, spec);
    this.#outputs = spec.outputs.map((output, i) => createOutputSlot(library, output, spec.maxBatchSize, rules[i]));
    this.#inputNames = new NativeMemory(spec.inputs.length * 8);
    this.#inputValues = new NativeMemory(spec.inputs.length * 8);
    this.#outputNames = new NativeMemory(spec.outputs.length * 8);
    this.#outputValues = new NativeMemory(spec.outputs.length * 8);
    this.#outputs.forEach((output, i) => {
      this.#outputNames.setWord(i, output.name.address);
    });
    const { api, scratch } = library;
    check(api, api.CreateRunOptions(scratch.address));
    this.#runOptions = scratch.word(0);
    for (const [key, value] of runConfig) check(api, api.AddRunConfigEntry(this.#runOptions, key, value));
    this.values.set([session.address, this.#runOptions, this.#inputNames.address, this.#inputValues.address]);
    this.values.set([this.#outputNames.address, this.#outputs.length, this.#outputValues.address], INPUT_COUNT + 1);
    this.#carrier = carriers.forLane(this);
    session.lanes.add(this);
  }

  get holdsThread(): boolean {
    return this.#carrier.synchronous;
  }

  get broken(): boolean {
    return this.#broken;
  }

  run(batch: Batch, settle: Settle): void {
    const run = this.#run;
    if (!run.take(settle)) return;
    try {
      this.#inputBytes = this.#fill(batch);
      run.gathered();
      this.#carrier.start(this.#inputBytes);
    } catch (error) {
      run.gathered();
      run.failSoon(runFailure(error, this.#session, run.cancelled), () => this.#endInputs());
    }
  }

  cancel(): void {
    const run = this.#run;
    if (run.cancelled) return;
    if (run.phase === 'running') {
      if (!this.#carrier.stoppable) return;
      run.cancelled = true;
      const { api } = this.#session.library;
      check(api, api.RunOptionsSetTerminate(this.#runOptions));
    } else if (run.phase === 'waiting' && this.#carrier.withdraw()) {
      run.cancelled = true;
      run.failSoon(cancelledError(), () => this.#endInputs());
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#run.close();
    this.#session.lanes.delete(this);
    for (const input of this.#inputs) input.close();
    for (const output of this.#outputs) output.close();
    this.#session.library.api.ReleaseRunOptions(this.#runOptions);
  }

  /** Called by the carrier when it is this run's turn. */
  begun(): void {
    this.#run.begun();
    runStarted(this);
    this.#session.runs++;
  }

  /** Copies the batch into the lane's buffers; the bytes of its inputs. */
  #fill(batch: Batch): number {
    this.#rows = executedRows(batch);
    const { inputs } = batch.members[0] as Batch['members'][number];
    let count = 0;
    for (let i = 0; i < this.#inputs.length; i++) {
      if (inputs[i] === undefined) continue;
      const slot = this.#inputs[i] as InputSlot;
      this.#inputValues.setWord(count, slot.fill(batch, i));
      this.#inputNames.setWord(count, slot.name.address);
      count++;
    }
    this.values[INPUT_COUNT] = count;
    this.#bindOutputs();
    let bytes = 0;
    for (const { inputs } of batch.members) for (const input of inputs) bytes += input?.data.byteLength ?? 0;
    return bytes;
  }

  #bindOutputs(): void {
    for (let i = 0; i < this.#outputs.length; i++) {
      this.#outputValues.setWord(i, (this.#outputs[i] as OutputSlot).bind(this.#rows, this.#inputs));
    }
  }

  /** Called by the carrier when the native call has returned, or never will be made. */
  returned(error: unknown, status: Address): void {
    const finishedNs = this.#clock.nowNs();
    const run = this.#run;
    if (run.phase === 'running') {
      runReturned(this);
      this.#session.runs--;
    }
    const { api } = this.#session.library;
    // Or the next run dies before its first node.
    if (run.cancelled) check(api, api.RunOptionsUnsetTerminate(this.#runOptions));
    let outputs: Tensor[];
    try {
      if (error) {
        this.#broken = true;
        throw error;
      }
      if (status !== 0) {
        const failure = takeFailure(api, status);
        if (this.#startedAgain(failure)) return;
        throw failure;
      }
      outputs = this.#readOutputs();
    } catch (thrown) {
      this.#endInputs();
      this.#discardOutputs();
      run.failed(thrown, finishedNs);
      return;
    }
    this.#endInputs();
    run.finish({ kind: 'done', outputs, timing: run.timing(finishedNs) });
  }

  /** Runs once more, with the same inputs, where the model's word about the shape of an output was wrong. */
  #startedAgain(failure: OrtFailure): boolean {
    if (this.#run.cancelled || !deniesOutputShape(failure)) return false;
    let trusted = false;
    for (const output of this.#outputs) if (output.mistrust?.() === true) trusted = true;
    if (!trusted) return false;
    this.#bindOutputs();
    this.#carrier.start(this.#inputBytes);
    return true;
  }

  #readOutputs(): Tensor[] {
    const tensors: Tensor[] = [];
    for (let i = 0; i < this.#outputs.length; i++) {
      const value = this.#outputValues.word(i);
      // Whatever happens in `read`, the value is not ours any more.
      this.#outputValues.setWord(i, 0);
      tensors.push((this.#outputs[i] as OutputSlot).read(value, this.#rows));
    }
    return tensors;
  }

  #discardOutputs(): void {
    for (let i = 0; i < this.#outputs.length; i++) {
      (this.#outputs[i] as OutputSlot).discard(this.#outputValues.word(i));
      this.#outputValues.setWord(i, 0);
    }
  }

  #endInputs(): void {
    for (const input of this.#inputs) input.endRun();
  }
}
