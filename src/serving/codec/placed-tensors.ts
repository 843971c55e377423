import { type MemoryPlace, type ParameterValue, ServingError } from '../../core/index.js';
import type { TensorLabel } from './checked-tensor.js';
import { nonNegativeInteger } from './request-parameters.js';

/** Tensors of a request that lie in memory of its client (Triton's shared memory extension). */
export interface PlacedTensors {
  /** The bytes of an input, as they are now. Throws where the place is not there. */
  input(place: MemoryPlace): Uint8Array;
  /** Where an output goes in place of the answer. */
  output(name: string, place: MemoryPlace): void;
}

const PREFIX = 'shared_memory_';

/** Whether a parameter of a tensor belongs to the extension. */
export function isPlaceParameter(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** Gathers the parameters of one tensor that say where it lies. */
export class PlaceParameters {
  readonly #label: TensorLabel;
  #region: string | undefined;
  #offsetBytes = 0;
  #bytes: number | undefined;

  constructor(label: TensorLabel) {
    this.#label = label;
  }

  /** Throws `MALFORMED_REQUEST` for a wrong value and for a name that the extension does not have. */
  add(name: string, value: ParameterValue): void {
    if (name === 'shared_memory_region' && typeof value === 'string') this.#region = value;
    else if (name === 'shared_memory_offset') this.#offsetBytes = nonNegativeInteger(`${this.#label}: ${name}`, value);
    else if (name === 'shared_memory_byte_size') this.#bytes = nonNegativeInteger(`${this.#label}: ${name}`, value);
    else throw malformed(`${this.#label}: ${name.slice(0, 64)} is not a parameter of shared memory, or no text`);
  }

  /** Throws `MALFORMED_REQUEST` where something is missing. */
  place(): MemoryPlace {
    if (this.#region === undefined) throw malformed(`${this.#label} has no shared_memory_region`);
    if (this.#bytes === undefined) throw malformed(`${this.#label} has no shared_memory_byte_size`);
    return { region: this.#region, offsetBytes: this.#offsetBytes, bytes: this.#bytes };
  }
}

/** What an answer says of an output that went there. */
export function placeParameters({
  region,
  offsetBytes,
  bytes,
}: MemoryPlace): Readonly<Record<string, string | number>> {
  return {
    shared_memory_region: region,
    ...(offsetBytes === 0 ? {} : { shared_memory_offset: offsetBytes }),
    shared_memory_byte_size: bytes,
  };
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
