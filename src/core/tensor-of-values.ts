import { DATA_TYPES, type DataType } from './data-type.js';
import { numberToBfloat, numberToHalf } from './float-bits.js';
import { elementCount, serialiseBytes, type Tensor } from './tensor.js';

export type PlainValue = string | number | boolean;

/** A tensor as people write it: values in row-major order, 64-bit integers perhaps as texts. Plain data. */
export interface PlainTensor {
  readonly name: string;
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly values: readonly PlainValue[];
}

/** Why a plain tensor is none, or undefined. */
export function plainTensorFault({ dataType, shape, values }: PlainTensor): string | undefined {
  const count = elementCount(shape);
  if (values.length !== count) return `shape [${shape.join(',')}] has ${count} elements, ${values.length} are given`;
  const wrong = values.findIndex((value) => !fits(dataType, value));
  return wrong < 0 ? undefined : `element ${wrong} (${JSON.stringify(values[wrong])}) is no ${dataType}`;
}

/** The tensor of values that fit it (`plainTensorFault`). */
export function tensorOfValues({ name, dataType, shape, values }: PlainTensor): Tensor {
  return { name, dataType, shape, data: bytesOf(dataType, values) };
}

function bytesOf(dataType: DataType, values: readonly PlainValue[]): Uint8Array {
  if (dataType === 'BYTES') {
    const encoder = new TextEncoder();
    return serialiseBytes(values.map((value) => encoder.encode(String(value))));
  }
  const { array, elementBytes } = DATA_TYPES[dataType];
  const elements = new array(new ArrayBuffer(values.length * elementBytes), 0, values.length);
  for (const [i, value] of values.entries()) elements[i] = bitsOf(dataType, value);
  return new Uint8Array(elements.buffer);
}

function bitsOf(dataType: DataType, value: PlainValue): number | bigint {
  if (dataType === 'INT64' || dataType === 'UINT64') return BigInt(value);
  if (dataType === 'FP16') return numberToHalf(Number(value));
  return dataType === 'BF16' ? numberToBfloat(Number(value)) : Number(value);
}

function fits(dataType: DataType, value: PlainValue): boolean {
  if (dataType === 'BYTES') return typeof value === 'string';
  if (dataType === 'BOOL') return typeof value === 'boolean';
  if (typeof value === 'boolean') return false;
  if (dataType.startsWith('FP') || dataType === 'BF16') return typeof value === 'number';
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== 'string' || !/^-?[0-9]{1,20}$/.test(text)) return false;
  const bits = BigInt(8 * DATA_TYPES[dataType].elementBytes);
  const whole = BigInt(text);
  return dataType.startsWith('U')
    ? whole >= 0n && whole < 1n << bits
    : whole >= -(1n << (bits - 1n)) && whole < 1n << (bits - 1n);
}
