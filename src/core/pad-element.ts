import { DATA_TYPES, type DataType } from './data-type.js';
import { numberToBfloat, numberToHalf } from './float-bits.js';

/**
 * One element of a data type that holds `value`, in the protocol's binary form; undefined where the data type has no such
 * value (BYTES has none at all). Floating types round to the nearest.
 */
export function elementOf(dataType: DataType, value: number): Uint8Array | undefined {
  const { array, elementBytes, min, max, json } = DATA_TYPES[dataType];
  if (elementBytes === 0 || Number.isNaN(value)) return undefined;
  const element = new array(new ArrayBuffer(elementBytes));
  if (min !== undefined && max !== undefined) {
    if (!Number.isSafeInteger(value) || BigInt(value) < min || BigInt(value) > max) return undefined;
    element[0] = json === 'integer64' ? BigInt(value) : value;
  } else if (dataType === 'BOOL') {
    if (value !== 0 && value !== 1) return undefined;
    element[0] = value;
  } else element[0] = dataType === 'FP16' ? numberToHalf(value) : dataType === 'BF16' ? numberToBfloat(value) : value;
  return new Uint8Array(element.buffer);
}
