import type { OrtSession } from '../session.js';
import { check } from '../status.js';
import type { BoundTensor } from './bound-tensor.js';
import { runProgram } from './run-program.js';

/** The configuration entry that names the CUDA graph of a run; -1 runs without one. */
const GRAPH_ID = 'gpu_graph_id';
const NO_GRAPH = '-1';

/** What runs batches of one size: everything in it is fixed, so that a run is nothing but its program. */
export interface Binding {
  readonly rows: number;
  readonly runOptions: number;
  readonly program: Float64Array;
}

export interface BindingsOptions {
  readonly session: OrtSession;
  readonly inputs: readonly BoundTensor[];
  readonly outputs: readonly BoundTensor[];
  readonly runConfig: ReadonlyMap<string, string>;
  /** Sizes that have a CUDA graph; undefined where the session makes none. */
  readonly graphSizes: readonly number[] | undefined;
}

/** The bindings of a lane by batch size, made when a size first comes. */
export class Bindings {
  readonly #options: BindingsOptions;
  readonly #made = new Map<number, Binding>();
  readonly #native: number[] = [];

  constructor(options: BindingsOptions) {
    this.#options = options;
  }

  of(rows: number): Binding {
    let binding = this.#made.get(rows);
    if (binding === undefined) {
      binding = this.#make(rows);
      this.#made.set(rows, binding);
    }
    return binding;
  }

  /** No run is in flight. */
  close(): void {
    const { api } = this.#options.session.library;
    for (const { runOptions } of this.#made.values()) api.ReleaseRunOptions(runOptions);
    for (const binding of this.#native) api.ReleaseIoBinding(binding);
    this.#made.clear();
    this.#native.length = 0;
  }

  #make(rows: number): Binding {
    const { session, inputs, outputs } = this.#options;
    const { api, scratch } = session.library;
    check(api, api.CreateIoBinding(session.address, scratch.address));
    const binding = scratch.word(0);
    this.#native.push(binding);
    for (const input of inputs) check(api, api.BindInput(binding, input.spec.name, input.makeValue(rows)));
    for (const output of outputs) check(api, api.BindOutput(binding, output.spec.name, output.makeValue(rows)));
    const runOptions = this.#makeRunOptions(rows);
    const pairs = (tensors: readonly BoundTensor[]) => tensors.flatMap((tensor) => tensor.pair(rows) ?? []);
    const program = runProgram([session.address, runOptions, binding], pairs(inputs), pairs(outputs));
    return { rows, runOptions, program };
  }

  #makeRunOptions(rows: number): number {
    const { session, runConfig, graphSizes } = this.#options;
    const { api, scratch } = session.library;
    check(api, api.CreateRunOptions(scratch.address));
    const runOptions = scratch.word(0);
    const config = new Map(runConfig);
    // Ids are a session's own, and 0 is ONNX Runtime's: the size is one.
    if (graphSizes !== undefined) config.set(GRAPH_ID, graphSizes.includes(rows) ? String(rows) : NO_GRAPH);
    for (const [key, value] of config) check(api, api.AddRunConfigEntry(runOptions, key, value));
    return runOptions;
  }
}
