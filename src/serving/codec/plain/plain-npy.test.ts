import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelSpec, tensorSpec } from '../../../../test/support/specs.js';
import { type DataType, type ServingError, typedView } from '../../../core/index.js';
import { writeNpy } from '../../../elements/index.js';
import { decodePlainNpy } from './plain-npy.js';

const of = (dataType: DataType, dims: readonly number[], maxBatchSize = 8) =>
  modelSpec({ inputs: [tensorSpec('x', dataType, dims)], maxBatchSize });

function npy(dataType: DataType, shape: readonly number[], values: readonly number[]): Buffer {
  const data =
    dataType === 'FP64'
      ? Float64Array.from(values)
      : dataType === 'INT64'
        ? BigInt64Array.from(values, BigInt)
        : dataType === 'FP32'
          ? Float32Array.from(values)
          : Int32Array.from(values);
  return writeNpy({ name: 'x', dataType, shape, data: new Uint8Array(data.buffer) });
}

function read(file: Uint8Array, spec: ReturnType<typeof of>) {
  const { tensors, batch, rows } = decodePlainNpy(file, spec);
  const [{ shape, dataType, data } = expect.fail()] = tensors;
  return { shape, values: [...typedView(dataType, data)].map(Number), batch, rows };
}

function refusal(file: Uint8Array, spec: ReturnType<typeof of>): string {
  try {
    read(file, spec);
  } catch (thrown) {
    const { reason, message } = thrown as ServingError;
    return `${reason}: ${message}`;
  }
  return 'none';
}

describe('an array of NumPy as a body', () => {
  it.each([
    ['a row', [2, 2], [2, 2], 8, [1, 2, 2], false],
    ['a batch', [2, 2], [1, 2, 2], 8, [1, 2, 2], true],
    ['a batch of single values', [1], [4], 8, [4, 1], true],
    ['a batch of single values in brackets', [1], [4, 1], 8, [4, 1], true],
    ['the whole of a model without batches', [2, 2], [2, 2], 0, [2, 2], false],
  ] as const)('is %s by its axes', (_, dims, shape, maxBatchSize, made, batch) => {
    const file = npy('FP32', shape, [1, 2, 3, 4]);
    expect(read(file, of('FP32', dims, maxBatchSize))).toMatchObject({ shape: made, values: [1, 2, 3, 4], batch });
  });

  it('of the types that NumPy has by itself is narrowed to those of the model', () => {
    expect(read(npy('FP64', [2], [0.1, 1e300]), of('FP32', [2])).values).toEqual([Math.fround(0.1), Infinity]);
    expect(read(npy('INT64', [2], [-5, 7]), of('INT32', [2])).values).toEqual([-5, 7]);
  });

  it('is refused by what is wrong', () => {
    const file = npy('FP32', [2], [1, 2]);
    const fortran = Buffer.from(file.toString('latin1').replace('False', 'True '), 'latin1');
    const big = Buffer.from(file.toString('latin1').replace('<f4', '>f4'), 'latin1');
    const long = Buffer.from(file);
    long.writeUInt16LE(60_000, 8);
    const cases: readonly (readonly [Uint8Array, ReturnType<typeof of>, string])[] = [
      [file, of('FP32', [3]), 'none'],
      [
        file,
        of('FP32', [2, 2]),
        'SHAPE_MISMATCH: input "x": expected a row of shape [2,2] (2 levels of arrays), came shape [2]',
      ],
      [file, of('INT32', [2]), 'DATA_TYPE_MISMATCH: input "x": expected INT32, the NPY file has FP32'],
      [
        npy('INT64', [2], [1, 2 ** 40]),
        of('INT32', [2]),
        'MALFORMED_REQUEST: input "x": element 1, 1099511627776, is not within INT32',
      ],
      [npy('FP32', [0, 2], []), of('FP32', [2]), 'MALFORMED_REQUEST: input "x": the body has no rows'],
      [file.subarray(0, -1), of('FP32', [2]), 'MALFORMED_REQUEST: '],
      [file.subarray(0, 9), of('FP32', [2]), 'MALFORMED_REQUEST: '],
      [fortran, of('FP32', [2]), 'MALFORMED_REQUEST: input "x": expected an array in C order'],
      [big, of('FP32', [2]), 'MALFORMED_REQUEST: input "x": expected an array in little-endian order'],
      [
        long,
        of('FP32', [2]),
        'MALFORMED_REQUEST: input "x": expected an NPY header of at most 10000 bytes, it has 60000',
      ],
    ];
    for (const [bytes, spec, why] of cases) expect(refusal(bytes, spec).slice(0, why.length)).toBe(why);
  });

  it('is read or refused, whatever bytes of it are', () => {
    const file = npy('FP32', [2, 2], [1, 2, 3, 4]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        (changes) => {
          const broken = Buffer.from(file);
          for (const [at, byte] of changes) broken[at] = byte;
          expect(refusal(broken, of('FP32', [2, 2]))).toMatch(/^(none|[A-Z_]+: )/);
        },
      ),
    );
  });
});
