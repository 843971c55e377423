import { type DataType, elementCount, ServingError, serialiseBytes, type Tensor } from '../core/index.js';
import { decodeElements } from './element-codec.js';

/** NumPy's type codes (without byte order) of the data types it has. BF16 has none; BYTES is written as `S`. */
const NPY_CODES: Readonly<Partial<Record<DataType, string>>> = {
  BOOL: 'b1',
  UINT8: 'u1',
  UINT16: 'u2',
  UINT32: 'u4',
  UINT64: 'u8',
  INT8: 'i1',
  INT16: 'i2',
  INT32: 'i4',
  INT64: 'i8',
  FP16: 'f2',
  FP32: 'f4',
  FP64: 'f8',
};
const BY_CODE = new Map(Object.entries(NPY_CODES).map(([dataType, code]) => [code as string, dataType as DataType]));

const MAGIC = Buffer.from('\x93NUMPY', 'latin1');

/**
 * Reads an NPY file (versions 1 to 3; both byte orders, both axis orders, text columns `S` and `U`) as a tensor called
 * `name`. Layout: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Object arrays are refused.
 */
export function readNpy(file: Buffer, name: string): Tensor {
  if (!file.subarray(0, 6).equals(MAGIC)) throw unreadable(name, 'not an NPY file');
  const long = (file[6] ?? 0) >= 2;
  const start = long ? 12 : 10;
  if (file.length < start) throw unreadable(name, 'cut off in its header');
  const end = start + (long ? file.readUInt32LE(8) : file.readUInt16LE(8));
  const header = file.toString('utf8', start, end);
  const type = /'descr':\s*'([<>|=])([a-zA-Z])(\d*)'/.exec(header);
  const axes = /'shape':\s*\(([\d\s,]*)\)/.exec(header);
  if (type === null || axes === null)
    throw unreadable(name, `its header is not that of a plain array: ${header.trim()}`);
  const shape = axes[1]!
    .split(',')
    .map((axis) => axis.trim())
    .filter((axis) => axis !== '')
    .map(Number);
  const [, order, kind, size] = type as unknown as [string, string, string, string];
  const itemBytes = Number(size) * (kind === 'U' ? 4 : 1);
  const bytes = elementCount(shape) * itemBytes;
  if (file.length < end + bytes)
    throw unreadable(name, `shape [${shape.join(', ')}] takes ${bytes} bytes, ${file.length - end} are there`);
  let data: Buffer = Buffer.from(file.subarray(end, end + bytes));
  if (/'fortran_order':\s*True/.test(header)) data = rowMajor(data, shape, itemBytes);
  if (order === '>') swapBytes(data, kind === 'U' ? 4 : itemBytes);
  if (kind === 'S' || kind === 'U') return { name, dataType: 'BYTES', shape, data: textColumn(data, itemBytes, kind) };
  const dataType = BY_CODE.get(kind + size);
  if (dataType === undefined)
    throw unreadable(name, `arrays of type '${kind}${size}' have no data type of the protocol`);
  return { name, dataType, shape, data };
}

/** Writes a tensor as an NPY file (version 1). BF16 is widened to float32; BYTES become `S` of the longest length. */
export function writeNpy(tensor: Tensor): Buffer {
  const { code, data } = columnOf(tensor);
  const axes = tensor.shape.length === 1 ? `${tensor.shape[0]},` : tensor.shape.join(', ');
  const fields = `{'descr': '${code}', 'fortran_order': False, 'shape': (${axes}), }`;
  const length = Math.ceil((10 + fields.length + 1) / 64) * 64 - 10;
  const head = Buffer.alloc(10);
  MAGIC.copy(head);
  head[6] = 1;
  head.writeUInt16LE(length, 8);
  return Buffer.concat([head, Buffer.from(`${fields.padEnd(length - 1)}\n`, 'latin1'), data]);
}

function columnOf({ dataType, data }: Tensor): { readonly code: string; readonly data: Uint8Array } {
  const code = NPY_CODES[dataType];
  if (code !== undefined) return { code: `${code.endsWith('1') ? '|' : '<'}${code}`, data };
  if (dataType === 'BF16') {
    const wide = Float32Array.from(decodeElements('BF16', data) as number[]);
    return { code: '<f4', data: new Uint8Array(wide.buffer) };
  }
  const texts = decodeElements('BYTES', data) as Uint8Array[];
  const width = Math.max(1, ...texts.map((text) => text.byteLength));
  const column = Buffer.alloc(width * texts.length);
  for (const [i, text] of texts.entries()) column.set(text, i * width);
  return { code: `|S${width}`, data: column };
}

/** Texts of a fixed width, less the zeros that fill them. */
function textColumn(data: Buffer, itemBytes: number, kind: string): Uint8Array {
  const texts: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += itemBytes) {
    const item = data.subarray(at, at + itemBytes);
    if (kind === 'S') {
      const end = item.findLastIndex((byte) => byte !== 0) + 1;
      texts.push(item.subarray(0, end));
      continue;
    }
    let text = '';
    for (let i = 0; i < item.length; i += 4) text += String.fromCodePoint(item.readUInt32LE(i));
    texts.push(Buffer.from(text.replace(/\0+$/, '')));
  }
  return serialiseBytes(texts);
}

function swapBytes(data: Buffer, width: number): void {
  for (let at = 0; at < data.length; at += width) data.subarray(at, at + width).reverse();
}

/** Column-major data as row-major. */
function rowMajor(data: Buffer, shape: readonly number[], itemBytes: number): Buffer {
  const out = Buffer.alloc(data.length);
  const strides: number[] = [];
  shape.reduce((stride, axis, i) => {
    strides[i] = stride;
    return stride * axis;
  }, 1);
  const index = shape.map(() => 0);
  for (let at = 0; at < out.length; at += itemBytes) {
    const from = index.reduce((sum, position, axis) => sum + position * strides[axis]!, 0) * itemBytes;
    data.copy(out, at, from, from + itemBytes);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
  return out;
}

function unreadable(name: string, why: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', `input '${name}': cannot read the NPY file: ${why}`);
}
