import { isUtf8 } from 'node:buffer';
import {
  bitsToFloat,
  bytesElements,
  DATA_TYPES,
  elementCount,
  halfToNumber,
  type Tensor,
  typedView,
} from '../../../core/index.js';
import { writeJsonElements } from '../v2-rest/data-text.js';
import { type JsonWriter, quoted } from '../v2-rest/json-writer.js';

const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
/** From this many elements on a row is worth a view of its own. */
const LONG_ROW = 32;

/**
 * Writes a tensor as JSON arrays nested as its shape has it, a scalar as one value. NaN and infinities are written as bare words,
 * FP16 and BF16 as the numbers they are, BYTES as strings: as `{"b64": ...}` where they are not UTF-8, or `binary` says so.
 */
export function writeNested(writer: JsonWriter, tensor: Tensor, binary: boolean): void {
  const { dataType, shape } = tensor;
  const count = elementCount(shape);
  if (count === 0) writer.text(emptyText(shape));
  else if (dataType === 'BYTES') writeTexts(writer, tensor, binary);
  else writeNumbers(writer, DATA_TYPES[dataType].json === 'none' ? widened(tensor) : tensor);
}

function writeNumbers(writer: JsonWriter, tensor: Tensor): void {
  const { shape } = tensor;
  const row = shape[shape.length - 1] ?? 1;
  if (shape.length > 1 && row >= LONG_ROW) writeLongRows(writer, tensor, row);
  else {
    const start = writer.at;
    writeJsonElements(writer, tensor, true);
    if (shape.length > 0) nest(writer, start, shape);
  }
}

function writeLongRows(writer: JsonWriter, tensor: Tensor, row: number): void {
  const { data, shape } = tensor;
  const rowBytes = row * DATA_TYPES[tensor.dataType].elementBytes;
  const levels = levelsOf(shape.slice(0, -1));
  writer.text('['.repeat(shape.length));
  for (let at = 0, index = 0; at < data.byteLength; at += rowBytes, index++) {
    if (at > 0) {
      const closed = levels(index) + 1;
      writer.text(`${']'.repeat(closed)},${'['.repeat(closed)}`);
    }
    writeJsonElements(writer, { ...tensor, data: data.subarray(at, at + rowBytes) }, true);
  }
  writer.text(']'.repeat(shape.length));
}

/** How many arrays end before element `index` of the shape, the outermost aside. */
function levelsOf(shape: readonly number[]): (index: number) => number {
  const sizes: number[] = [];
  let size = 1;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    size *= shape[axis] as number;
    sizes.push(size);
  }
  return (index) => {
    let level = 0;
    while (level < sizes.length && index % (sizes[level] as number) === 0) level++;
    return level;
  };
}

/**
 * Puts the brackets of the shape into the flat list of elements that stands from `start` on, from behind: one pass, where a row at a
 * time would cost a view for each of many short ones. No element holds a comma.
 */
function nest(writer: JsonWriter, start: number, shape: readonly number[]): void {
  const count = elementCount(shape);
  let brackets = shape.length;
  for (let axis = shape.length - 1, size = 1; axis > 0; axis--) {
    size *= shape[axis] as number;
    brackets += count / size - 1;
  }
  writer.reserve(2 * brackets);
  const { bytes } = writer;
  let from = writer.at;
  let to = from + 2 * brackets;
  writer.at = to;
  for (let axis = 0; axis < shape.length; axis++) bytes[--to] = CLOSE;
  const levels = levelsOf(shape);
  let element = count;
  while (from > start) {
    const byte = bytes[--from] as number;
    if (byte !== COMMA) {
      bytes[--to] = byte;
      continue;
    }
    const closed = levels(--element);
    for (let level = 0; level < closed; level++) bytes[--to] = OPEN;
    bytes[--to] = COMMA;
    for (let level = 0; level < closed; level++) bytes[--to] = CLOSE;
  }
  for (let axis = 0; axis < shape.length; axis++) bytes[--to] = OPEN;
}

function writeTexts(writer: JsonWriter, { data, shape }: Tensor, binary: boolean): void {
  const levels = levelsOf(shape);
  writer.text('['.repeat(shape.length));
  for (const [index, element] of bytesElements(data).entries()) {
    if (index > 0) {
      const closed = levels(index);
      writer.text(`${']'.repeat(closed)},${'['.repeat(closed)}`);
    }
    const bytes = Buffer.from(element.buffer, element.byteOffset, element.byteLength);
    if (binary || !isUtf8(bytes)) writer.text(`{"b64":"${bytes.toString('base64')}"}`);
    else writer.text(quoted(bytes.toString('utf8')));
  }
  writer.text(']'.repeat(shape.length));
}

function emptyText(shape: readonly number[]): string {
  let text = '';
  for (const size of [...shape].reverse()) text = `[${text === '' ? '' : new Array(size).fill(text).join(',')}]`;
  return text;
}

/** FP16 or BF16 as FP32. */
export function widened(tensor: Tensor): Tensor {
  const bits = typedView(tensor.dataType, tensor.data) as Uint16Array;
  const numbers = new Float32Array(bits.length);
  const half = tensor.dataType === 'FP16';
  for (let i = 0; i < bits.length; i++) {
    const pattern = bits[i] as number;
    numbers[i] = half ? halfToNumber(pattern) : bitsToFloat(pattern << 16);
  }
  return { ...tensor, dataType: 'FP32', data: new Uint8Array(numbers.buffer) };
}
