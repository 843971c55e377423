import {
  bitsToFloat,
  halfToNumber,
  type InferenceResponse,
  type Pooling,
  ServingError,
  type Tensor,
  type TextModel,
} from '../../../core/index.js';

/** The vector that a model gives one text, before it is cut or normalised. Memory of its own. Throws BACKEND_FAILED. */
export function vectorOf(response: InferenceResponse, { output, pooling }: TextModel, tokens: number): Float32Array {
  const { values, size, rows } = rowsOf(response, output, pooling === 'none' ? 1 : tokens);
  return pooled(values, rows, size, pooling);
}

/** A vector a token. */
export function vectorsOfTokens(
  response: InferenceResponse,
  { output, pooling }: TextModel,
  tokens: number,
): Float32Array[] {
  if (pooling === 'none')
    throw new ServingError('UNSUPPORTED', `the model gives a vector a text, and none a token; /embed gives that`);
  const { values, size, rows } = rowsOf(response, output, tokens);
  return Array.from({ length: rows }, (_, row) => values.slice(row * size, (row + 1) * size));
}

/** A vector as it is answered: its first `dimensions` numbers where that is asked, of the length 1 where that is. */
export function finished(vector: Float32Array, dimensions: number | undefined, normalize: boolean): Float32Array {
  if (dimensions !== undefined && dimensions > vector.length)
    throw new ServingError(
      'MALFORMED_REQUEST',
      `'dimensions': expected at most ${vector.length}, the size of the model's vectors, found ${dimensions}`,
    );
  const kept = dimensions === undefined ? vector : vector.subarray(0, dimensions);
  let squares = 0;
  for (const value of kept) squares += value * value;
  if (!Number.isFinite(squares)) throw new ServingError('BACKEND_FAILED', 'the vector of a text is not finite');
  if (!normalize) return kept;
  const norm = Math.max(Math.sqrt(squares), LEAST_NORM);
  return kept.map((value) => value / norm);
}

/** Below, a vector is taken for zero and not blown up (as by torch's `normalize`). */
const LEAST_NORM = 1e-12;

/** How near two vectors point: 1 the same way, -1 opposite ways. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  return dot / Math.max(Math.sqrt(squaresA) * Math.sqrt(squaresB), LEAST_NORM);
}

interface Rows {
  readonly values: Float32Array;
  readonly size: number;
  readonly rows: number;
}

/** The numbers of an output of one text, as rows of one size. A view of the lane's memory where that is possible. */
function rowsOf({ outputs }: InferenceResponse, name: string, rows: number): Rows {
  const output = outputs.find((one) => one.name === name);
  if (output === undefined) throw new ServingError('BACKEND_FAILED', `the model gave no output '${name}'`);
  const values = floatsOf(output);
  const size = values.length / rows;
  const shape = output.shape;
  // A token-wise output has one row a token: [1, tokens, size].
  if (values.length === 0 || !Number.isInteger(size) || (rows > 1 && shape[shape.length - 2] !== rows))
    throw new ServingError(
      'OUTPUT_SHAPE_MISMATCH',
      `output '${name}': expected ${rows} rows for a text of as many tokens, found shape [${shape.join(',')}]`,
    );
  return { values, size, rows };
}

function floatsOf({ dataType, data }: Tensor): Float32Array {
  const { buffer, byteOffset, byteLength } = data;
  if (dataType === 'FP32') {
    if (byteOffset % 4 === 0) return new Float32Array(buffer, byteOffset, byteLength / 4);
    return new Float32Array(new Uint8Array(data).buffer);
  }
  const view = new DataView(buffer, byteOffset, byteLength);
  if (dataType === 'FP64') return Float32Array.from({ length: byteLength / 8 }, (_, i) => view.getFloat64(8 * i, true));
  const read = dataType === 'FP16' ? halfToNumber : (bits: number) => bitsToFloat(bits << 16);
  return Float32Array.from({ length: byteLength / 2 }, (_, i) => read(view.getUint16(2 * i, true)));
}

function pooled(values: Float32Array, rows: number, size: number, pooling: Pooling): Float32Array {
  if (pooling === 'mean') return meanOf(values, rows, size);
  if (pooling === 'splade') return spladeOf(values, rows, size);
  const row = pooling === 'last' ? rows - 1 : 0;
  return values.slice(row * size, (row + 1) * size);
}

/** Of each number the highest log(1 + relu(x)) of all tokens (SPLADE); it grows with x, so it is taken of the highest alone. */
function spladeOf(values: Float32Array, rows: number, size: number): Float32Array {
  const highest = new Float32Array(size);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let i = 0; i < size; i++, at++) {
      const value = values[at] as number;
      // Of NaN neither is true: it stays, and is refused as any vector with it.
      if (!(value <= (highest[i] as number))) highest[i] = value;
    }
  }
  for (let i = 0; i < size; i++) highest[i] = Math.log1p(highest[i] as number);
  return highest;
}

function meanOf(values: Float32Array, rows: number, size: number): Float32Array {
  const sums = new Float64Array(size);
  for (let row = 0, at = 0; row < rows; row++)
    for (let i = 0; i < size; i++, at++) sums[i] = (sums[i] as number) + (values[at] as number);
  return Float32Array.from(sums, (sum) => sum / rows);
}
