import { type Batch, type ModelSpec, ServingError, type Tensor, type TensorSpec } from '../../../core/index.js';
import { BatchInput } from '../batch-input.js';
import { OutputBuffers, type OutputMemory } from '../output-buffers.js';

/** Refuses (`MODEL_INVALID`) a model whose outputs cannot be its inputs: output i is a copy of input i. */
export function checkIdentity({ inputs, outputs }: ModelSpec): void {
  if (outputs.length > inputs.length)
    throw invalid(`${outputs.length} outputs cannot be copies of ${inputs.length} inputs`);
  outputs.forEach((output, i) => {
    const input = inputs[i] as TensorSpec;
    const shapes = [input.dims, input.modelDims, output.dims, output.modelDims].map(String);
    if (input.dataType === output.dataType && !input.optional && new Set(shapes).size === 1) return;
    throw invalid(
      `output '${output.name}' is a copy of input '${input.name}', so both need the same data type and dims, and neither reshape nor optional`,
    );
  });
}

/** Buffers of a lane. Holds the outputs of one batch at a time. */
export class IdentityOutputs {
  readonly #spec: ModelSpec;
  readonly #inputs: readonly BatchInput[];
  readonly #buffers: readonly OutputBuffers<OutputMemory>[];

  constructor(spec: ModelSpec) {
    this.#spec = spec;
    this.#inputs = spec.outputs.map((_, i) => new BatchInput(spec.inputs[i] as TensorSpec, spec.maxBatchSize > 0));
    const make = (bytes: number) => ({ bytes: new Uint8Array(bytes * 2) });
    this.#buffers = spec.outputs.map(() => new OutputBuffers({ make }));
  }

  /** Copies the members' inputs, in order; views of them, valid until the next call or for who keeps them (`lend`). */
  fill(batch: Batch): Tensor[] {
    return this.#spec.outputs.map(({ name, dataType }, i) => {
      const input = this.#inputs[i] as BatchInput;
      const bytes = input.bytes(batch, i);
      const memory = (this.#buffers[i] as OutputBuffers<OutputMemory>).take(bytes).bytes;
      input.write(memory, 0, bytes, batch, i);
      return { name, dataType, shape: input.shape(batch, i), data: memory.subarray(0, bytes) };
    });
  }
}

function invalid(message: string): ServingError {
  return new ServingError('MODEL_INVALID', `timed backend: ${message}`);
}
