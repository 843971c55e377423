import { badAnswer, badRequest } from './client-error.js';
import { type DataType, ELEMENTS, type InputData, isDataType, type OutputData, TOLD_BY } from './data-type.js';

/** Sizes of a tensor's axes; empty for a scalar. */
export type Shape = readonly number[];

type InputOf<D extends DataType, S extends Shape> = D extends 'BOOL'
  ?
      | { readonly datatype?: 'BOOL'; readonly shape: S; readonly data: readonly boolean[] }
      | { readonly datatype: 'BOOL'; readonly shape: S; readonly data: Uint8Array }
  : D extends 'FP16' | 'BF16'
    ? { readonly datatype: D; readonly shape: S; readonly data: InputData[D] }
    : { readonly datatype?: D; readonly shape: S; readonly data: InputData[D] };

/**
 * A tensor of a request. `datatype` may be left out where the array tells it; FP16, BF16 and BOOL as bytes have to be named.
 * `data` is read when the request is sent and stays the caller's.
 */
export type InputTensor<D extends DataType = DataType, S extends Shape = Shape> = D extends DataType
  ? InputOf<D, S>
  : never;

/** A tensor of an answer. `data` lies in memory of the answer, which nobody else has. */
export type OutputTensor<D extends DataType = DataType, S extends Shape = Shape> = D extends DataType
  ? { readonly datatype: D; readonly shape: S; readonly data: OutputData[D] }
  : never;

/** Inputs by name. */
export type AnyInputs = Readonly<Record<string, InputTensor>>;
/** Outputs by name. */
export type AnyOutputs = Readonly<Record<string, OutputTensor>>;

/** A tensor as it goes over the wire. */
export interface WireTensor {
  readonly name: string;
  readonly datatype: DataType;
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}

/** Inputs as they go over the wire; those that are undefined are left out. Throws `BAD_REQUEST`. */
export function wireTensors(inputs: object): WireTensor[] {
  return Object.entries(inputs as Record<string, InputTensor | undefined>).flatMap(([name, input]) =>
    input === undefined ? [] : [wireTensor(name, input)],
  );
}

function wireTensor(name: string, { datatype, shape, data }: InputTensor): WireTensor {
  const type = datatype ?? toldBy(name, data);
  if (!isDataType(type)) throw badRequest(`input '${name}': there is no data type ${String(type)}`);
  const expected = shape.reduce((count, size) => count * size, 1);
  if (!Number.isSafeInteger(expected) || shape.some((size) => !(size >= 0)))
    throw badRequest(`input '${name}': [${shape.join(', ')}] is no shape`);
  if (data.length !== expected)
    throw badRequest(`input '${name}': shape [${shape.join(', ')}] has ${expected} elements, data has ${data.length}`);
  return { name, datatype: type, shape, bytes: bytesOf(name, type, data) };
}

function toldBy(name: string, data: InputTensor['data']): DataType {
  const first: unknown = data[0];
  if (Array.isArray(data) && typeof first === 'boolean') return 'BOOL';
  if (Array.isArray(data) && (typeof first === 'string' || first instanceof Uint8Array)) return 'BYTES';
  const told = TOLD_BY.get(Object.prototype.toString.call(data).slice(8, -1));
  if (told === undefined) throw badRequest(`input '${name}': say its datatype, the data does not tell it`);
  return told;
}

function bytesOf(name: string, datatype: DataType, data: InputTensor['data']): Uint8Array {
  if (datatype === 'BYTES') return serialised(name, data as InputData['BYTES']);
  if (datatype === 'BOOL' && Array.isArray(data)) return Uint8Array.from(data as readonly boolean[], Number);
  const [array, elementBytes] = ELEMENTS[datatype];
  if (!ArrayBuffer.isView(data) || data.byteLength !== data.length * elementBytes)
    throw badRequest(`input '${name}': ${datatype} takes ${array.name}`);
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** BYTES on the wire: of each element its length (uint32, little-endian) and itself. */
function serialised(name: string, elements: InputData['BYTES']): Uint8Array {
  const all = elements.map((element) => {
    if (typeof element === 'string') return encoder.encode(element);
    if (element instanceof Uint8Array) return element;
    throw badRequest(`input '${name}': BYTES takes strings and Uint8Arrays`);
  });
  const out = new Uint8Array(all.reduce((bytes, element) => bytes + 4 + element.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const element of all) {
    view.setUint32(at, element.length, true);
    out.set(element, at + 4);
    at += 4 + element.length;
  }
  return out;
}

/** An output of the wire. `bytes` is memory of the answer; it is copied only where its place does not suit the elements. */
export function outputTensor({ name, datatype, shape, bytes }: WireTensor): OutputTensor {
  if (datatype === 'BYTES') return { datatype, shape, data: elementsOf(name, bytes) };
  const [array, elementBytes] = ELEMENTS[datatype];
  const count = shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== count * elementBytes)
    throw badAnswer(
      `output '${name}': ${datatype} [${shape.join(', ')}] takes ${count * elementBytes} bytes, ${bytes.length} came`,
    );
  const own = bytes.byteOffset % elementBytes === 0 ? bytes : new Uint8Array(bytes);
  const data = new array(own.buffer as ArrayBuffer, own.byteOffset, count);
  return { datatype, shape, data } as OutputTensor;
}

function elementsOf(name: string, bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const elements: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 4 <= bytes.length ? at + 4 + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw badAnswer(`output '${name}': an element of BYTES is cut off`);
    elements.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return elements;
}

/** Elements of a BYTES output as text (UTF-8). */
export function textsOf({ data }: { readonly data: readonly Uint8Array[] }): string[] {
  return data.map((element) => decoder.decode(element));
}
