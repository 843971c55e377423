import { type ModelSpec, type SequencePlan, type SequenceState, ServingError, type Tensor } from '../../core/index.js';

/** The implicit states of a version's sequences: what each begins with, and how the answers of the model become the next ones. */
export class KeptStates {
  readonly initial: readonly Tensor[];
  /** Whether states of different sequences may differ in shape, so that not all may share a batch. */
  readonly variable: boolean;
  readonly #states: readonly SequenceState[];
  /** Where each stands among the outputs of an execution. */
  readonly #at: readonly number[];
  readonly #mostBytes: number;
  readonly #batched: boolean;

  constructor(plan: SequencePlan, executed: ModelSpec) {
    this.#states = plan.states;
    this.#mostBytes = plan.maxStateBytes;
    this.#batched = executed.maxBatchSize > 0;
    this.initial = plan.states.map(({ initial }) => initial);
    this.variable = plan.states.some(({ dims }) => dims.includes(-1));
    this.#at = plan.states.map(({ outputName }) => executed.outputs.findIndex(({ name }) => name === outputName));
  }

  /**
   * The states that an execution left, copied out of its outputs: into `before` where they fit, which nothing reads any more.
   * Throws OUTPUT_SHAPE_MISMATCH where they are not what the config says, or more than a sequence may keep.
   */
  taken(outputs: readonly Tensor[], before: readonly Tensor[]): readonly Tensor[] {
    if (this.#states.length === 0) return before;
    let bytes = 0;
    const found = this.#states.map((state, i) => {
      const output = outputs[this.#at[i] as number] as Tensor;
      this.#check(state, output);
      bytes += output.data.byteLength;
      return output;
    });
    if (bytes > this.#mostBytes) {
      throw new ServingError(
        'OUTPUT_SHAPE_MISMATCH',
        `the states of the sequence have ${bytes} bytes, at most ${this.#mostBytes} are kept (max_sequence_state_bytes)`,
      );
    }
    return found.map((output, i) => {
      const { inputName, dataType } = this.#states[i] as SequenceState;
      const own = before[i] as Tensor;
      const reused = own !== this.initial[i] && own.data.byteLength === output.data.byteLength;
      const data = reused ? own.data : new Uint8Array(output.data.byteLength);
      data.set(output.data);
      return { name: inputName, dataType, shape: [...output.shape], data };
    });
  }

  /** What a batch's states must have in common, beside what its requests' inputs must. */
  keyOf(states: readonly Tensor[]): string {
    return this.variable ? `|${states.map(({ shape }) => shape.join(',')).join(';')}` : '';
  }

  #check({ outputName, dims }: SequenceState, { shape }: Tensor): void {
    const offset = this.#batched ? 1 : 0;
    const fits =
      shape.length === dims.length + offset && dims.every((dim, axis) => dim === -1 || dim === shape[axis + offset]);
    if (fits) return;
    throw new ServingError(
      'OUTPUT_SHAPE_MISMATCH',
      `state output '${outputName}' has shape [${shape.join(',')}], expected [${[...(this.#batched ? [1] : []), ...dims].join(',')}]`,
    );
  }
}
