import { DATA_TYPES, elementCount, halfToNumber, type Tensor, typedView } from '../core/index.js';

/** What the elements of a tensor are: numbers with a tolerance, numbers that are right or wrong, or neither. */
export type ElementKind = 'float' | 'integer' | 'boolean' | 'text';

export function kindOf({ dataType }: Tensor): ElementKind {
  if (dataType === 'FP16' || dataType === 'BF16') return 'float';
  const { json } = DATA_TYPES[dataType];
  if (json === 'float' || json === 'boolean') return json;
  return json === 'string' ? 'text' : 'integer';
}

/** Whether its elements are numbers, whose order says something. */
export function isNumeric(tensor: Tensor): boolean {
  const kind = kindOf(tensor);
  return kind === 'float' || kind === 'integer';
}

/**
 * The elements of a tensor that is not of texts, from `from` to before `to`, as numbers: a view where its memory allows it,
 * valid as long as its data, else a copy. 64-bit integers are rounded to a double, booleans are 0 or 1.
 */
export function numbersOf({ dataType, data }: Tensor, from: number, to: number): ArrayLike<number> {
  const { elementBytes } = DATA_TYPES[dataType];
  const view = typedView(dataType, data.subarray(from * elementBytes, to * elementBytes));
  if (dataType === 'FP16') return halvesAsSingles(view as Uint16Array);
  if (dataType === 'BF16') return bfloatsAsSingles(view as Uint16Array);
  if (dataType === 'BOOL') return (view as Uint8Array).map((byte) => (byte === 0 ? 0 : 1));
  if (view instanceof BigInt64Array || view instanceof BigUint64Array) return Float64Array.from(view, Number);
  return view;
}

/** Every half as a single; made when the first are read. */
let singles: Float32Array | undefined;

function halvesAsSingles(halves: Uint16Array): Float32Array {
  singles ??= Float32Array.from({ length: 2 ** 16 }, (_, pattern) => halfToNumber(pattern));
  const found = new Float32Array(halves.length);
  for (let i = 0; i < found.length; i++) found[i] = singles[halves[i] as number] as number;
  return found;
}

/** A bfloat is the upper half of a single. */
function bfloatsAsSingles(bfloats: Uint16Array): Float32Array {
  const patterns = new Uint32Array(bfloats.length);
  for (let i = 0; i < patterns.length; i++) patterns[i] = (bfloats[i] as number) << 16;
  return new Float32Array(patterns.buffer);
}

/** The rows of a tensor: along its first axis where the model has a batch axis, else it is one. */
export interface Rows {
  readonly count: number;
  /** Elements of one. */
  readonly length: number;
}

export function rowsOf({ shape }: Tensor, batched: boolean): Rows {
  const elements = elementCount(shape);
  const count = batched && shape.length > 0 ? (shape[0] as number) : 1;
  return { count, length: count === 0 ? 0 : elements / count };
}

/** Index of the largest element from `from` to before `to`, counted from `from`; the first of equals. -1: all are NaN, or none. */
export function topIndex(values: ArrayLike<number>, from: number, to: number): number {
  let top = -1;
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = from; i < to; i++) {
    const value = values[i] as number;
    if (value > largest || (top === -1 && value === largest)) {
      largest = value;
      top = i - from;
    }
  }
  return top;
}
