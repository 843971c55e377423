import {
  bitsToFloat,
  bytesElements,
  DATA_TYPES,
  type DataType,
  halfToNumber,
  numberToBfloat,
  numberToHalf,
  ServingError,
  serialiseBytes,
  typedView,
} from '../core/index.js';

/** An element of a tensor as JavaScript has it: 64-bit integers as bigint, BYTES as bytes. */
export type Element = number | bigint | boolean | string | Uint8Array;

/** Elements as the raw little-endian bytes of a data type. Throws where one does not fit it. */
export function encodeElements(dataType: DataType, elements: readonly Element[], input: string): Uint8Array {
  if (dataType === 'BYTES') {
    const texts = elements.map((element) => (element instanceof Uint8Array ? element : Buffer.from(String(element))));
    return serialiseBytes(texts);
  }
  const { elementBytes, array, json, min, max } = DATA_TYPES[dataType];
  const buffer = new ArrayBuffer(elementBytes * elements.length);
  const view = new array(buffer);
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i]!;
    if (typeof element === 'object' || (typeof element === 'string' && Number.isNaN(Number(element))))
      throw misfit(input, dataType, i, String(element));
    if (json === 'integer' || json === 'integer64') {
      const whole = asInteger(element);
      if (whole === undefined || whole < min! || whole > max!) throw misfit(input, dataType, i, String(element));
      view[i] = json === 'integer64' ? whole : Number(whole);
    } else if (dataType === 'BOOL') view[i] = Number(element) === 0 ? 0 : 1;
    else view[i] = floatBits(dataType, Number(element));
  }
  return new Uint8Array(buffer);
}

/** Raw bytes of a data type as elements. */
export function decodeElements(dataType: DataType, data: Uint8Array): Element[] {
  if (dataType === 'BYTES') return bytesElements(data);
  const view = typedView(dataType, data);
  const elements: Element[] = [];
  for (const value of view) {
    if (dataType === 'BOOL') elements.push(value !== 0);
    else if (dataType === 'FP16') elements.push(halfToNumber(Number(value)));
    else if (dataType === 'BF16') elements.push(bitsToFloat(Number(value) << 16));
    else elements.push(value);
  }
  return elements;
}

/** The element of a data type nearest to a number: what encoding it and decoding it again gives. */
function nearest(dataType: DataType, value: number): number {
  if (dataType === 'FP32') return Math.fround(value);
  if (dataType === 'FP16') return halfToNumber(numberToHalf(value));
  return dataType === 'BF16' ? bitsToFloat(numberToBfloat(value) << 16) : value;
}

/** An element as JSON text; a float in the fewest digits that read back to it as its data type, not as a double. */
export function elementText(dataType: DataType, element: Exclude<Element, Uint8Array>): string {
  // JSON has no NaN and no infinities: null, as JSON.stringify writes them.
  if (typeof element === 'number' && !Number.isFinite(element)) return 'null';
  if (Object.is(element, -0)) return '-0';
  if (typeof element !== 'number' || Number.isInteger(element) || dataType === 'FP64') return String(element);
  const rounded = (digits: number) => Number(element.toPrecision(digits));
  const readsBack = (digits: number) => nearest(dataType, rounded(digits)) === element;
  let digits = 6;
  while (!readsBack(digits)) digits++;
  while (digits > 1 && readsBack(digits - 1)) digits--;
  return String(rounded(digits));
}

function asInteger(element: Element): bigint | undefined {
  if (typeof element === 'bigint') return element;
  if (typeof element === 'string') return /^-?\d+$/.test(element) ? BigInt(element) : undefined;
  const number = Number(element);
  return Number.isInteger(number) ? BigInt(number) : undefined;
}

function misfit(input: string, dataType: DataType, index: number, value: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', `input '${input}': element ${index} (${value}) is no ${dataType}`);
}

function floatBits(dataType: DataType, value: number): number {
  if (dataType === 'FP16') return numberToHalf(value);
  return dataType === 'BF16' ? numberToBfloat(value) : value;
}
