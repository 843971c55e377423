import { type ContentsField, DATA_TYPES, type DataType, ServingError } from '../../../core/index.js';
import type { TensorLabel } from '../checked-tensor.js';
import { FIXED32, FIXED64, LENGTH, VARINT, type WireReader } from './wire-reader.js';

/** Field numbers of `InferTensorContents` and the wire type of one element. */
const FIELDS = {
  raw: { number: 0, wire: -1 },
  bool_contents: { number: 1, wire: VARINT },
  int_contents: { number: 2, wire: VARINT },
  int64_contents: { number: 3, wire: VARINT },
  uint_contents: { number: 4, wire: VARINT },
  uint64_contents: { number: 5, wire: VARINT },
  fp32_contents: { number: 6, wire: FIXED32 },
  fp64_contents: { number: 7, wire: FIXED64 },
  bytes_contents: { number: 8, wire: LENGTH },
} as const satisfies Record<ContentsField, { number: number; wire: number }>;

const NAMES = Object.keys(FIELDS) as ContentsField[];

/**
 * Bytes of a tensor from the `InferTensorContents` message at `start` to `end`: a view of the message where the wire has
 * the elements in memory order already (one packed run of floats), else memory of its own. Two passes: the elements are
 * counted before memory is taken. Throws `DATA_TYPE_MISMATCH` (another field than the data type's, a value out of range),
 * `SHAPE_MISMATCH` (another number of elements than `count`), `MALFORMED_REQUEST`.
 */
export function readContents(
  reader: WireReader,
  label: TensorLabel,
  dataType: DataType,
  count: number,
  start: number,
  end: number,
): Uint8Array {
  const facts = DATA_TYPES[dataType];
  const field = FIELDS[facts.contents];
  const found = new Found();
  eachRun(reader, start, end, (from, to) => {
    if (reader.field !== field.number) refuseField(reader, label, dataType);
    found.add(reader, field.wire, from, to);
  });
  if (found.elements !== count) {
    throw new ServingError(
      'SHAPE_MISMATCH',
      `${label}: its shape has ${count} elements, its ${facts.contents} ${found.elements}`,
    );
  }
  const { bytes } = reader;
  if (count === 0) return bytes.subarray(0, 0);
  if (field.wire === FIXED32 || field.wire === FIXED64) {
    if (found.runs === 1) return bytes.subarray(found.from, found.to);
    const out = new Uint8Array(count * facts.elementBytes);
    let at = 0;
    eachRun(reader, start, end, (from, to) => {
      out.set(bytes.subarray(from, to), at);
      at += to - from;
    });
    return out;
  }
  if (field.wire === LENGTH) return serialised(reader, start, end, count, found.bytes);
  return integers(reader, label, dataType, start, end, count);
}

/** What the first pass counts. */
class Found {
  elements = 0;
  runs = 0;
  bytes = 0;
  from = 0;
  to = 0;

  add(reader: WireReader, wire: number, from: number, to: number): void {
    this.runs++;
    this.bytes += to - from;
    this.from = from;
    this.to = to;
    if (wire === LENGTH) this.elements++;
    else if (wire === VARINT) {
      for (let at = from; at < to; at++) if ((reader.bytes[at] as number) < 0x80) this.elements++;
    } else {
      const size = wire === FIXED32 ? 4 : 8;
      if ((to - from) % size !== 0) reader.fail(`a packed field of ${to - from} bytes is no multiple of ${size}`);
      this.elements += (to - from) / size;
    }
  }
}

/** Calls `run` with the bytes of each run of elements, packed or single; empty runs are passed over. */
function eachRun(reader: WireReader, start: number, end: number, run: (from: number, to: number) => void): void {
  const outer = reader.end;
  reader.at = start;
  reader.end = end;
  while (reader.next()) {
    const known = NAMES[reader.field];
    if (known === undefined || reader.field === 0) {
      reader.skip();
      continue;
    }
    const { wire } = FIELDS[known];
    if (reader.wire !== LENGTH) reader.expect(wire);
    const from = reader.at;
    reader.skip();
    const to = reader.at;
    if (reader.wire !== LENGTH) run(from, to);
    else {
      // The run lies behind its length prefix: read the prefix again, now known to be sound.
      reader.at = from;
      const delimitedEnd = reader.delimited();
      const inner = reader.at;
      reader.at = delimitedEnd;
      if (wire === LENGTH || inner < to) run(inner, to);
    }
    reader.at = to;
  }
  reader.end = outer;
}

function serialised(reader: WireReader, start: number, end: number, count: number, total: number): Uint8Array {
  const out = Buffer.allocUnsafeSlow(total + 4 * count);
  let at = 0;
  eachRun(reader, start, end, (from, to) => {
    at = out.writeUInt32LE(to - from, at);
    out.set(reader.bytes.subarray(from, to), at);
    at += to - from;
  });
  return out;
}

function integers(
  reader: WireReader,
  label: TensorLabel,
  dataType: DataType,
  start: number,
  end: number,
  count: number,
): Uint8Array {
  const { array, elementBytes, contents, min, max } = DATA_TYPES[dataType];
  const buffer = new ArrayBuffer(count * elementBytes);
  const out = new (elementBytes === 8 ? Uint32Array : array)(buffer) as Uint32Array;
  const signed = contents === 'int_contents';
  const least = Number(min ?? 0n);
  const most = Number(max ?? 1n);
  let index = 0;
  eachRun(reader, start, end, (from, to) => {
    reader.at = from;
    while (reader.at < to) {
      reader.varint64();
      if (elementBytes === 8) {
        out[index++] = reader.low;
        out[index++] = reader.high;
        continue;
      }
      const value =
        contents === 'bool_contents' ? Math.min(reader.low + reader.high, 1) : signed ? reader.low | 0 : reader.low;
      if (value < least || value > most) {
        throw new ServingError(
          'DATA_TYPE_MISMATCH',
          `${label}: element ${index} must be from ${least} to ${most} for ${dataType}, came ${value}`,
        );
      }
      out[index++] = value;
    }
    if (reader.at !== to) reader.fail('a packed field ends inside a varint');
  });
  return new Uint8Array(buffer);
}

function refuseField(reader: WireReader, label: TensorLabel, dataType: DataType): never {
  const expected = DATA_TYPES[dataType].contents;
  throw new ServingError(
    'DATA_TYPE_MISMATCH',
    expected === 'raw'
      ? `${label}: ${dataType} has no typed contents; send it in raw_input_contents`
      : `${label}: ${dataType} takes ${expected}, came ${NAMES[reader.field]}`,
  );
}
