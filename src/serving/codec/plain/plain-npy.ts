import { type DataType, ServingError, type Tensor } from '../../../core/index.js';
import { readNpy } from '../../../elements/index.js';
import { shown } from '../checked-tensor.js';
import type { Column } from './column.js';
import type { PlainBody, PlainModel } from './plain-body.js';
import { onlyInput, PlainTable } from './plain-table.js';

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
/** NumPy's own limit of a header that it reads without being asked to trust it. */
const MOST_HEADER_BYTES = 10_000;

/** Whether bytes are a file of `numpy.save`. */
export function isNpy(bytes: Uint8Array): boolean {
  return MAGIC.equals(bytes.subarray(0, MAGIC.length));
}

/**
 * Reads a body that is a file of `numpy.save`: of the only input one row, or, with an axis more, a batch. Arrays of NumPy's own default
 * types (float64, int64) are narrowed to the input's. Throws MALFORMED_REQUEST, DATA_TYPE_MISMATCH, SHAPE_MISMATCH.
 */
export function decodePlainNpy(body: Uint8Array, spec: PlainModel): PlainBody {
  const table = new PlainTable(spec);
  return table.body(addNpy(table.column(onlyInput(spec).name), body, spec));
}

/** Adds a file of `numpy.save` to a column; returns whether it is a batch. */
export function addNpy(column: Column, file: Uint8Array, spec: PlainModel): boolean {
  const { name, dataType } = column.spec;
  const refuse = (expected: string): never => {
    throw new ServingError('MALFORMED_REQUEST', `input ${shown(name)}: expected ${expected}`);
  };
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const headerBytes = bytes.length < 12 ? 0 : (bytes[6] as number) >= 2 ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  if (headerBytes > MOST_HEADER_BYTES)
    refuse(`an NPY header of at most ${MOST_HEADER_BYTES} bytes, it has ${headerBytes}`);
  const header = bytes.toString('latin1', 8, 12 + headerBytes);
  // Both are turned element by element, which is not for a thread with sockets.
  if (/'fortran_order':\s*True/.test(header)) refuse('an array in C order: save numpy.ascontiguousarray(array)');
  if (/'descr':\s*'>/.test(header)) refuse('an array in little-endian order');
  const { shape, data } = cast(readNpy(bytes, name), dataType);
  return column.addArray(shape, data, spec.maxBatchSize > 0);
}

function cast(array: Tensor, dataType: DataType): Tensor {
  const { data, dataType: came, name } = array;
  if (came === dataType) return array;
  if (came === 'FP64' && dataType === 'FP32')
    return { ...array, dataType, data: bytesOf(Float32Array.from(new Float64Array(...span(data, 8)))) };
  if (came === 'INT64' && dataType === 'INT32') {
    const values = new BigInt64Array(...span(data, 8));
    const at = values.findIndex((value) => BigInt.asIntN(32, value) !== value);
    if (at >= 0)
      throw new ServingError(
        'MALFORMED_REQUEST',
        `input ${shown(name)}: element ${at}, ${values[at]}, is not within INT32`,
      );
    return { ...array, dataType, data: bytesOf(Int32Array.from(values, Number)) };
  }
  throw new ServingError('DATA_TYPE_MISMATCH', `input ${shown(name)}: expected ${dataType}, the NPY file has ${came}`);
}

/** Where the elements of bytes lie; bytes that are not aligned are copied. */
function span(data: Uint8Array, elementBytes: number): [buffer: ArrayBuffer, start: number, elements: number] {
  const own = data.byteOffset % elementBytes === 0 ? data : data.slice();
  return [own.buffer as ArrayBuffer, own.byteOffset, own.byteLength / elementBytes];
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
