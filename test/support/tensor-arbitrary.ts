import fc from 'fast-check';
import { DATA_TYPES, type DataType, elementCount, serialiseBytes, type Tensor } from '../../src/core/index.js';

export const ALL_DATA_TYPES = Object.keys(DATA_TYPES) as DataType[];
/** Data types with a JSON form. */
export const JSON_DATA_TYPES = ALL_DATA_TYPES.filter((name) => DATA_TYPES[name].json !== 'none');

const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.string({ unit: 'grapheme', maxLength: 6 }));

/** Tensors of the given data types, of rank 0 to 4, empty ones among them. Floats are finite unless `anyBits`. */
export function tensors(dataTypes: readonly DataType[], options: { anyBits: boolean }): fc.Arbitrary<Tensor> {
  return fc
    .tuple(
      fc.constantFrom(...dataTypes),
      fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
    )
    .chain(([dataType, shape, name]) =>
      bytesOf(dataType, elementCount(shape), options.anyBits).map((data) => ({ name, dataType, shape, data })),
    );
}

function bytesOf(dataType: DataType, count: number, anyBits: boolean): fc.Arbitrary<Uint8Array> {
  const exactly = { minLength: count, maxLength: count };
  const { elementBytes, json } = DATA_TYPES[dataType];
  if (json === 'string') {
    const element = anyBits ? fc.uint8Array({ maxLength: 12 }) : anyText.map((text) => new TextEncoder().encode(text));
    return fc.array(element, exactly).map(serialiseBytes);
  }
  if (json === 'boolean') return fc.array(fc.integer({ min: 0, max: 1 }), exactly).map((bits) => Uint8Array.from(bits));
  if (json === 'float' && !anyBits) {
    const finite = { noNaN: true, noDefaultInfinity: true };
    return dataType === 'FP32'
      ? fc.array(fc.float(finite), exactly).map((values) => new Uint8Array(Float32Array.from(values).buffer))
      : fc.array(fc.double(finite), exactly).map((values) => new Uint8Array(Float64Array.from(values).buffer));
  }
  return fc.uint8Array({ minLength: count * elementBytes, maxLength: count * elementBytes });
}
