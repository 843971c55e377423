import { DATA_TYPES, type DataType, ServingError, serialiseBytes, type Tensor } from '../../../core/index.js';
import { checkData, checkedCount, MAX_RANK, TensorLabel } from '../checked-tensor.js';
import { TENSORFLOW_TYPES } from '../tf-serving/tensorflow-types.js';
import { LENGTH, VARINT, type WireReader } from '../v2-grpc/wire-reader.js';

const BY_NUMBER = new Map<number, DataType>(
  (Object.keys(TENSORFLOW_TYPES) as DataType[]).map((name) => [TENSORFLOW_TYPES[name].number, name]),
);
/** Fields of elements, whatever their type. */
const VALUE_FIELDS: ReadonlySet<number> = new Set([5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);

/**
 * Reads the `TensorProto` that ends at `end`. `tensor_content`, and floats in one packed run, are views of the message; else the tensor
 * has memory of its own. Elements that lack are the last one again, or zero, as TensorFlow reads them, up to `maxBytes` in all. Throws
 * MALFORMED_REQUEST, SHAPE_MISMATCH, DATA_TYPE_MISMATCH, UNSUPPORTED, each naming the input.
 */
export function readTensorProto(reader: WireReader, name: string, end: number, maxBytes: number): Tensor {
  const outer = reader.end;
  const start = reader.at;
  const label = new TensorLabel('input', 0);
  label.name = name;
  reader.end = end;
  let number = 0;
  let shape: readonly number[] = [];
  let content: Uint8Array | undefined;
  let values = 0;
  while (reader.next()) {
    if (reader.field === 1) number = reader.varint();
    else if (reader.field === 2) shape = readShape(reader, label);
    else if (reader.field === 4) content = reader.view();
    else {
      if (VALUE_FIELDS.has(reader.field)) values = reader.field;
      reader.skip();
    }
  }
  const dataType = BY_NUMBER.get(number);
  if (dataType === undefined)
    throw new ServingError('DATA_TYPE_MISMATCH', `${label}: its dtype ${number} has no data type here`);
  const count = checkedCount(label, shape);
  const { elementBytes } = DATA_TYPES[dataType];
  if (content !== undefined && content.byteLength > 0) {
    if (values > 0)
      throw new ServingError(
        'MALFORMED_REQUEST',
        `${label} has both tensor_content and elements in a field of their own`,
      );
    if (elementBytes === 0)
      throw new ServingError('UNSUPPORTED', `${label}: strings in tensor_content are not supported; send string_val`);
    checkData(label, dataType, shape, content);
    reader.end = outer;
    reader.at = end;
    return { name, dataType, shape, data: content };
  }
  if (count * Math.max(elementBytes, 4) > maxBytes)
    throw new ServingError('BODY_TOO_LARGE', `${label}: shape [${shape}] takes more than ${maxBytes} bytes`);
  const { field } = TENSORFLOW_TYPES[dataType];
  if (values > 0 && values !== field)
    throw new ServingError(
      'DATA_TYPE_MISMATCH',
      `${label}: elements of ${TENSORFLOW_TYPES[dataType].name} stand in field ${field}, came field ${values}`,
    );
  const data = new ValueReader(reader, label, dataType, count).read(start, end, maxBytes);
  reader.end = outer;
  reader.at = end;
  return { name, dataType, shape, data };
}

function readShape(reader: WireReader, label: TensorLabel): number[] {
  const outer = reader.end;
  reader.end = reader.delimited();
  const shape: number[] = [];
  while (reader.next()) {
    if (reader.field === 2) {
      if (shape.length === MAX_RANK)
        throw new ServingError('SHAPE_MISMATCH', `${label}: its shape has more than ${MAX_RANK} dimensions`);
      shape.push(readSize(reader));
    } else if (reader.field === 3 && reader.varint() !== 0) {
      throw new ServingError('SHAPE_MISMATCH', `${label}: its shape has unknown_rank`);
    } else if (reader.field !== 3) reader.skip();
  }
  reader.end = outer;
  return shape;
}

function readSize(reader: WireReader): number {
  const outer = reader.end;
  reader.end = reader.delimited();
  let size = 0;
  while (reader.next()) {
    if (reader.field === 1) size = Number(reader.int64());
    else reader.skip();
  }
  reader.end = outer;
  return size;
}

/** Reads the elements of one tensor out of the field of its data type. */
class ValueReader {
  readonly #reader: WireReader;
  readonly #label: TensorLabel;
  readonly #dataType: DataType;
  readonly #count: number;

  constructor(reader: WireReader, label: TensorLabel, dataType: DataType, count: number) {
    this.#reader = reader;
    this.#label = label;
    this.#dataType = dataType;
    this.#count = count;
  }

  read(start: number, end: number, maxBytes: number): Uint8Array {
    const { wire } = TENSORFLOW_TYPES[this.#dataType];
    if (wire === 'bytes') return this.#strings(start, end, maxBytes);
    return wire === 'fixed' ? this.#fixed(start, end) : this.#integers(start, end);
  }

  #fixed(start: number, end: number): Uint8Array {
    const { elementBytes } = DATA_TYPES[this.#dataType];
    const { bytes } = this.#reader;
    const total = this.#count * elementBytes;
    let out: Uint8Array | undefined;
    let at = 0;
    let view: Uint8Array | undefined;
    this.#eachRun(start, end, (from, to) => {
      if ((to - from) % elementBytes !== 0) this.#reader.fail(`a packed field is no multiple of ${elementBytes} bytes`);
      this.#bound((at + to - from) / elementBytes);
      if (at === 0 && to - from === total) view = bytes.subarray(from, to);
      else {
        out ??= new Uint8Array(total);
        out.set(bytes.subarray(from, to), at);
      }
      at += to - from;
    });
    if (view !== undefined) return view;
    out ??= new Uint8Array(total);
    if (at > 0) fillRest(out, at, elementBytes);
    return out;
  }

  #integers(start: number, end: number): Uint8Array {
    const { elementBytes, array, min, max } = DATA_TYPES[this.#dataType];
    const reader = this.#reader;
    const buffer = new ArrayBuffer(this.#count * elementBytes);
    const out = new (elementBytes === 8 ? Uint32Array : array)(buffer) as Uint32Array;
    const words = elementBytes === 8 ? 2 : 1;
    const unsigned = this.#dataType === 'UINT32';
    const least = Number(min ?? 0n);
    const most = this.#dataType === 'BOOL' ? 1 : Number(max ?? 0xffffn);
    let index = 0;
    this.#eachRun(start, end, (from, to) => {
      reader.at = from;
      while (reader.at < to) {
        this.#bound(index + 1);
        reader.varint64();
        if (words === 2) {
          out[2 * index] = reader.low;
          out[2 * index++ + 1] = reader.high;
          continue;
        }
        const value =
          this.#dataType === 'BOOL' ? Math.min(reader.low + reader.high, 1) : unsigned ? reader.low : reader.low | 0;
        if (value < least || value > most)
          throw new ServingError(
            'DATA_TYPE_MISMATCH',
            `${this.#label}: element ${index} must be from ${least} to ${most} for ${this.#dataType}, came ${value}`,
          );
        out[index++] = value;
      }
      if (reader.at !== to) reader.fail('a packed field ends inside a varint');
    });
    if (index > 0) fillRest(out, index * words, words);
    return new Uint8Array(buffer);
  }

  #strings(start: number, end: number, maxBytes: number): Uint8Array {
    const elements: Uint8Array[] = [];
    this.#eachRun(start, end, (from, to) => {
      this.#bound(elements.length + 1);
      elements.push(this.#reader.bytes.subarray(from, to));
    });
    const last = elements[elements.length - 1] ?? new Uint8Array(0);
    const lacking = this.#count - elements.length;
    if (lacking * (last.byteLength + 4) > maxBytes)
      throw new ServingError('BODY_TOO_LARGE', `${this.#label}: its elements take more than ${maxBytes} bytes`);
    for (let i = 0; i < lacking; i++) elements.push(last);
    return serialiseBytes(elements);
  }

  #bound(came: number): void {
    if (came > this.#count)
      throw new ServingError('SHAPE_MISMATCH', `${this.#label}: its shape has ${this.#count} elements, more came`);
  }

  /** Calls `run` with the bytes of each run of elements, packed or single. */
  #eachRun(start: number, end: number, run: (from: number, to: number) => void): void {
    const reader = this.#reader;
    const { field, wire } = TENSORFLOW_TYPES[this.#dataType];
    reader.at = start;
    reader.end = end;
    while (reader.next()) {
      if (reader.field !== field) {
        reader.skip();
        continue;
      }
      const packed = reader.wire === LENGTH;
      if (!packed && wire === 'varint') reader.expect(VARINT);
      if (!packed && wire === 'bytes') reader.expect(LENGTH);
      const behind = packed ? reader.delimited() : undefined;
      const from = reader.at;
      if (behind === undefined) reader.skip();
      const to = behind ?? reader.at;
      if (wire === 'bytes' || from < to) run(from, to);
      reader.at = to;
    }
  }
}

/** TensorFlow's short form: the last element, `size` long, before `from` stands for all that lack. */
function fillRest(out: Uint8Array | Uint32Array, from: number, size: number): void {
  const start = from - size;
  for (let done = from; done < out.length; ) {
    const more = Math.min(done - start, out.length - done);
    out.copyWithin(done, start, start + more);
    done += more;
  }
}
