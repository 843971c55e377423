import { isUtf8 } from 'node:buffer';
import {
  DATA_TYPES,
  endOfBytesElement,
  type JsonForm,
  ServingError,
  type Tensor,
  typedView,
} from '../../../core/index.js';
import { shown } from '../checked-tensor.js';
import { floatWriter } from '../json-numbers/number-writer.js';
import { writeAscii, writeInteger, writeInteger64 } from './integer-text.js';
import type { JsonWriter } from './json-writer.js';

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Most bytes an integer takes. */
const INTEGER_BYTES = 21;
/** Integers written between two looks at the room that is left. */
const CHUNK = 1024;

type WriteElements = (writer: JsonWriter, tensor: Tensor, allowNan: boolean) => void;

const FORMS = {
  boolean: (writer, { data }) => writeChunks(writer, data, writeBooleans),
  integer: (writer, { dataType, data }) => writeChunks(writer, typedView(dataType, data) as Int32Array, writeIntegers),
  integer64: (writer, { dataType, data }) => {
    const values = typedView(dataType, data);
    const signed = dataType === 'INT64';
    writeChunks(writer, values as BigInt64Array, signed ? writeSigned64 : writeUnsigned64);
  },
  float: (writer, tensor, allowNan) => {
    if (!allowNan) refuseNotFinite(tensor);
    writeFloats(writer, tensor);
  },
  string: writeStrings,
  none: (_, { name, dataType }) => {
    throw new ServingError(
      'DATA_TYPE_MISMATCH',
      `output ${shown(name)}: ${dataType} has no JSON form; ask for it with parameters.binary_data`,
    );
  },
} as const satisfies Record<JsonForm, WriteElements>;

/**
 * Writes an output's elements as a flat, row-major JSON array. Throws `DATA_TYPE_MISMATCH` for data types without a JSON
 * form, `UNSUPPORTED` for NaN and Infinity (unless allowed) and for BYTES that are not UTF-8.
 */
export function writeJsonData(writer: JsonWriter, tensor: Tensor, allowNan: boolean): void {
  writer.text('[');
  writeJsonElements(writer, tensor, allowNan);
  writer.text(']');
}

/** Writes the elements alone, with commas between them. Throws as `writeJsonData`. */
export function writeJsonElements(writer: JsonWriter, tensor: Tensor, allowNan: boolean): void {
  FORMS[DATA_TYPES[tensor.dataType].json](writer, tensor, allowNan);
}

/** Writes elements `from` to `end` of `values`, each but the first of all after a comma; returns where it ended. */
type WriteChunk<T> = (out: Uint8Array, at: number, values: T, from: number, end: number) => number;

function writeChunks<T extends { readonly length: number }>(writer: JsonWriter, values: T, write: WriteChunk<T>): void {
  for (let from = 0; from < values.length; from += CHUNK) {
    const end = Math.min(from + CHUNK, values.length);
    writer.reserve((end - from) * (INTEGER_BYTES + 1));
    writer.at = write(writer.bytes, writer.at, values, from, end);
  }
}

// A loop for each data type: through one for all, each element would cost a call.

function writeBooleans(out: Uint8Array, at: number, values: Uint8Array, from: number, end: number): number {
  for (let i = from; i < end; i++) {
    if (i > 0) out[at++] = COMMA;
    at = writeAscii(out, at, values[i] === 0 ? 'false' : 'true');
  }
  return at;
}

function writeIntegers(out: Uint8Array, at: number, values: Int32Array, from: number, end: number): number {
  for (let i = from; i < end; i++) {
    if (i > 0) out[at++] = COMMA;
    at = writeInteger(out, at, values[i] as number);
  }
  return at;
}

function writeSigned64(out: Uint8Array, at: number, values: BigInt64Array, from: number, end: number): number {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
  for (let i = from; i < end; i++) {
    if (i > 0) out[at++] = COMMA;
    at = writeInteger64(out, at, words[2 * i + 1] as number, (words[2 * i] as number) >>> 0);
  }
  return at;
}

function writeUnsigned64(out: Uint8Array, at: number, values: BigInt64Array, from: number, end: number): number {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  for (let i = from; i < end; i++) {
    if (i > 0) out[at++] = COMMA;
    at = writeInteger64(out, at, words[2 * i + 1] as number, words[2 * i] as number);
  }
  return at;
}

function writeFloats(writer: JsonWriter, { dataType, data }: Tensor): void {
  const floats = floatWriter();
  const { elementBytes } = DATA_TYPES[dataType];
  for (let at = 0; at < data.byteLength; at += floats.taken) {
    const text = floats.write(data, at, elementBytes, at > 0);
    if (floats.taken > 0) writer.raw(text);
    else {
      const value = typedView(dataType, data.subarray(at, at + elementBytes))[0];
      writer.text(at > 0 ? `,${value}` : `${value}`);
      at += elementBytes;
    }
  }
}

function writeStrings(writer: JsonWriter, tensor: Tensor): void {
  const { data } = tensor;
  let start = 0;
  for (let index = 0; start < data.byteLength; index++) {
    const end = endOfBytesElement(data, start);
    if (end < 0) throw new ServingError('INTERNAL', `output ${shown(tensor.name)}: malformed BYTES data`);
    start += 4;
    writer.reserve((end - start) * 6 + 3);
    const out = writer.bytes;
    let at = writer.at;
    if (index > 0) out[at++] = COMMA;
    out[at++] = QUOTE;
    let all = 0;
    for (let i = start; i < end; i++) {
      const byte = data[i] as number;
      all |= byte;
      if (byte < 0x20) at = writeAscii(out, at, `\\u00${byte < 0x10 ? '0' : ''}${byte.toString(16)}`);
      else {
        if (byte === QUOTE || byte === BACKSLASH) out[at++] = BACKSLASH;
        out[at++] = byte;
      }
    }
    out[at++] = QUOTE;
    if (all >= 0x80 && !isUtf8(data.subarray(start, end))) {
      throw new ServingError(
        'UNSUPPORTED',
        `output ${shown(tensor.name)}: element ${index} is not UTF-8, which JSON cannot carry; ask for it with parameters.binary_data`,
      );
    }
    writer.at = at;
    start = end;
  }
}

function refuseNotFinite(tensor: Tensor): void {
  const values = typedView(tensor.dataType, tensor.data) as Float32Array | Float64Array;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value - value === 0) continue;
    throw new ServingError(
      'UNSUPPORTED',
      `output ${shown(tensor.name)}: element ${i} is ${value}, which JSON cannot carry; ask for it with parameters.binary_data, or start the server with --json-nan`,
    );
  }
}
