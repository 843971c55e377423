import { byteSize, countBytesElements, DATA_TYPES, type DataType, ServingError } from '../../core/index.js';

/** Most inputs, and most requested outputs, of one request. */
export const MAX_TENSORS = 4096;
/** Most dimensions of one shape. */
export const MAX_RANK = 64;
/** Most parameters of one request, input or output. */
export const MAX_PARAMETERS = 1024;

/** A caller's name as error messages show it: quoted, escaped, cut to 64 characters. */
export function shown(name: string): string {
  return JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}...` : name);
}

/** How messages name a tensor: `input "x"`, or `input 0` before its name is known. Made into text only when one is written. */
export class TensorLabel {
  name: string | undefined;
  readonly #kind: 'input' | 'output';
  readonly #index: number;

  constructor(kind: 'input' | 'output', index: number) {
    this.#kind = kind;
    this.#index = index;
  }

  toString(): string {
    return `${this.#kind} ${this.name === undefined ? this.#index : shown(this.name)}`;
  }
}

/**
 * Number of elements of a shape, at most 2^53. Throws `SHAPE_MISMATCH` where a dimension is not a non-negative safe
 * integer, or the product is not exact.
 */
export function checkedCount(label: TensorLabel, shape: readonly number[]): number {
  let count = 1;
  let empty = false;
  for (let axis = 0; axis < shape.length; axis++) {
    const dim = shape[axis] as number;
    if (!Number.isSafeInteger(dim) || dim < 0) {
      throw new ServingError('SHAPE_MISMATCH', `${label}: dimension ${axis} must be an integer from 0, came ${dim}`);
    }
    if (dim === 0) empty = true;
    else count *= dim;
    if (count > Number.MAX_SAFE_INTEGER) {
      throw new ServingError('SHAPE_MISMATCH', `${label}: shape [${shape}] has more than 2^53 elements`);
    }
  }
  return empty ? 0 : count;
}

/** Throws `SHAPE_MISMATCH` unless `data` is exactly as long as data type and shape say. BYTES data are walked. */
export function checkData(label: TensorLabel, dataType: DataType, shape: readonly number[], data: Uint8Array): void {
  const count = checkedCount(label, shape);
  if (DATA_TYPES[dataType].elementBytes === 0) {
    const came = countBytesElements(data);
    if (came === count) return;
    throw new ServingError(
      'SHAPE_MISMATCH',
      came < 0
        ? `${label}: an element of its BYTES data runs past the end of its ${data.byteLength} bytes`
        : `${label}: shape [${shape}] has ${count} BYTES elements, came ${came}`,
    );
  }
  const expected = byteSize(dataType, shape);
  if (data.byteLength === expected || (count === 0 && data.byteLength === 0)) return;
  throw new ServingError(
    'SHAPE_MISMATCH',
    `${label}: ${dataType} of shape [${shape}] takes ${expected} bytes, came ${data.byteLength}`,
  );
}
