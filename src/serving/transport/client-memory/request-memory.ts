import {
  type ClientMemory,
  type InferenceResponse,
  type MemoryPlace,
  ServingError,
  type Tensor,
} from '../../../core/index.js';
import type { PlacedTensors } from '../../codec/index.js';
import type { ByteBudget } from '../byte-budget.js';

const NO_DATA = new Uint8Array(0);

/** The memory of a client as one request uses it: what it reads counts as bytes in flight, until `release`. */
export class RequestMemory implements PlacedTensors {
  readonly #memory: ClientMemory;
  readonly #budget: ByteBudget;
  readonly #maxBytes: number;
  #takenBytes = 0;
  #outputs: Map<string, MemoryPlace> | undefined;

  constructor(memory: ClientMemory, budget: ByteBudget, maxBytes: number) {
    this.#memory = memory;
    this.#budget = budget;
    this.#maxBytes = maxBytes;
  }

  input(place: MemoryPlace): Uint8Array {
    const bytes = this.#takenBytes + place.bytes;
    if (bytes > this.#maxBytes)
      throw new ServingError(
        'BODY_TOO_LARGE',
        `inputs in shared memory may have ${this.#maxBytes} bytes, ${bytes} are asked for`,
      );
    this.#budget.acquire(place.bytes);
    this.#takenBytes = bytes;
    return this.#memory.read(place);
  }

  output(name: string, place: MemoryPlace): void {
    this.#outputs ??= new Map();
    this.#outputs.set(name, place);
  }

  /** Where outputs go; undefined: all go into the answer. */
  get places(): ReadonlyMap<string, MemoryPlace> | undefined {
    return this.#outputs;
  }

  /** Writes the outputs that have a place there, and gives the answer without their bytes; their places have the sizes they took. */
  answered(response: InferenceResponse): InferenceResponse {
    const places = this.#outputs;
    if (places === undefined) return response;
    return { ...response, outputs: response.outputs.map((output) => this.#written(output, places)) };
  }

  release(): void {
    this.#budget.release(this.#takenBytes);
    this.#takenBytes = 0;
  }

  #written(output: Tensor, places: Map<string, MemoryPlace>): Tensor {
    const place = places.get(output.name);
    if (place === undefined) return output;
    const { byteLength } = output.data;
    if (byteLength > place.bytes) {
      throw new ServingError(
        'MALFORMED_REQUEST',
        `shared memory size specified with the request for output '${output.name}' (${place.bytes} bytes) should be at least ${byteLength} bytes to hold the results`,
      );
    }
    this.#memory.write(place, output.data);
    places.set(output.name, { ...place, bytes: byteLength });
    return { ...output, data: NO_DATA };
  }
}
