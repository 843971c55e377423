import { type Iterations, type ModelSpec, ServingError, type Tensor } from '../../core/index.js';
import type { HeldRequest } from './held-request.js';
import * as refusals from './refusals.js';

/** The output by which a model asks for another run of a request, and how often it may. */
export class AgainOutput {
  readonly #at: number;
  readonly #name: string;
  readonly #most: number;

  constructor({ output, most }: Iterations, executed: ModelSpec) {
    this.#name = output;
    this.#at = executed.outputs.findIndex(({ name }) => name === output);
    this.#most = most;
  }

  /** Of one request's rows of an execution. Throws OUTPUT_SHAPE_MISMATCH where they do not say it. */
  asked(outputs: readonly Tensor[]): boolean {
    const tensor = outputs[this.#at];
    if (tensor?.dataType === 'BOOL' && tensor.data.byteLength === 1) return tensor.data[0] !== 0;
    throw new ServingError(
      'OUTPUT_SHAPE_MISMATCH',
      `output '${this.#name}' says whether a request is run again: expected one BOOL a row, got ${tensor?.dataType} [${tensor?.shape.join(',')}]`,
    );
  }

  /** Another run is asked for. Throws BACKEND_FAILED where it would be one too many. */
  count({ runs }: HeldRequest): void {
    if (runs + 1 >= this.#most) throw refusals.askedTooOften(this.#most);
  }
}
