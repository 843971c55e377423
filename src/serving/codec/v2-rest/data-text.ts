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
import type { JsonWriter } from './json-writer.js';
import { NUMBER_BYTES, writeAscii, writeFloat32, writeFloat64, writeInteger, writeInteger64 } from './number-text.js';

const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Numbers written between two looks at the room that is left. */
const CHUNK = 1024;

type WriteElements = (writer: JsonWriter, tensor: Tensor, allowNan: boolean) => void;

const FORMS = {
  boolean: (writer, { data }) => {
    writeChunks(writer, data.length, (out, at, i) => writeAscii(out, at, data[i] === 0 ? 'false' : 'true'));
  },
  integer: (writer, { dataType, data }) => {
    const values = typedView(dataType, data) as Int32Array;
    writeChunks(writer, values.length, (out, at, i) => writeInteger(out, at, values[i] as number));
  },
  integer64: (writer, { dataType, data }) => {
    const { buffer, byteOffset, length } = typedView(dataType, data);
    const low = new Uint32Array(buffer, byteOffset, length * 2);
    const high = dataType === 'INT64' ? new Int32Array(buffer, byteOffset, length * 2) : low;
    writeChunks(writer, length, (out, at, i) =>
      writeInteger64(out, at, high[2 * i + 1] as number, low[2 * i] as number),
    );
  },
  float: (writer, tensor, allowNan) => {
    const values = typedView(tensor.dataType, tensor.data) as Float32Array | Float64Array;
    const write = tensor.dataType === 'FP32' ? writeFloat32 : writeFloat64;
    writeChunks(writer, values.length, (out, at, i) => {
      const value = values[i] as number;
      if (value - value === 0) return write(out, at, value);
      if (!allowNan) throw notFinite(tensor, i, value);
      return writeAscii(out, at, `${value}`);
    });
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
  FORMS[DATA_TYPES[tensor.dataType].json](writer, tensor, allowNan);
  writer.text(']');
}

function writeChunks(
  writer: JsonWriter,
  count: number,
  one: (out: Uint8Array, at: number, index: number) => number,
): void {
  for (let from = 0; from < count; from += CHUNK) {
    const end = Math.min(from + CHUNK, count);
    writer.reserve((end - from) * (NUMBER_BYTES + 1));
    const out = writer.bytes;
    let at = writer.at;
    for (let i = from; i < end; i++) {
      if (i > 0) out[at++] = COMMA;
      at = one(out, at, i);
    }
    writer.at = at;
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

function notFinite(tensor: Tensor, index: number, value: number): ServingError {
  return new ServingError(
    'UNSUPPORTED',
    `output ${shown(tensor.name)}: element ${index} is ${value}, which JSON cannot carry; ask for it with parameters.binary_data, or start the server with --json-nan`,
  );
}
