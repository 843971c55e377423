import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesElements, type DataType, type Tensor, typedView } from '../../../core/index.js';
import type { ShapedSpec } from '../tf-serving/row-shape.js';
import { attachPredict, decodePredict } from './offload-predict.js';
import { decodePredictBody, type PredictBody } from './predict-body.js';

const HOW = { method: 'predict', batched: true, signature: 'serving_default' } as const;
const X: ShapedSpec = { name: 'x', dataType: 'FP32', optional: false, dims: [] };
const spec = (name: string, dataType: DataType, optional = false): ShapedSpec => ({
  name,
  dataType,
  optional,
  dims: [],
});

function decode(body: unknown, ...specs: ShapedSpec[]): PredictBody | undefined {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return decodePredictBody(Buffer.from(text), specs.length === 0 ? [X] : specs, true);
}

function shown({ name, dataType, shape, data }: Tensor): unknown {
  const values =
    dataType === 'BYTES'
      ? bytesElements(data).map((one) => Buffer.from(one).toString())
      : [...typedView(dataType, data)];
  return [name, shape, values];
}

function inputs(body: unknown, ...specs: ShapedSpec[]): unknown {
  return decode(body, ...specs)?.inputs.map(shown);
}

function refusal(body: unknown, ...specs: ShapedSpec[]): string {
  try {
    decode(body, ...specs);
  } catch (thrown) {
    const { reason, message } = thrown as { reason: string; message: string };
    return `${reason}: ${message}`;
  }
  return 'none';
}

describe('bodies of :predict', () => {
  it('takes rows of the only input, whatever their rank', () => {
    expect(
      inputs({
        instances: [
          [1, 2],
          [3, 4],
          [5, 6],
        ],
      }),
    ).toEqual([['x', [3, 2], [1, 2, 3, 4, 5, 6]]]);
    expect(inputs({ instances: [1.5, -2] })).toEqual([['x', [2], [1.5, -2]]]);
    expect(inputs({ instances: [[[[1], [2]]]] })).toEqual([['x', [1, 1, 2, 1], [1, 2]]]);
    expect(decode({ instances: [[1]] })?.kind).toBe('rows');
  });

  it('takes rows that name their inputs, in any order of names', () => {
    const both = [spec('a', 'INT64'), spec('b', 'BYTES')];
    const body = {
      instances: [
        { a: [1, 2], b: 'one' },
        { b: 'two', a: [3, 4] },
      ],
    };
    expect(inputs(body, ...both)).toEqual([
      ['a', [2, 2], [1n, 2n, 3n, 4n]],
      ['b', [2], ['one', 'two']],
    ]);
    expect(inputs({ instances: [{ x: 1 }, { x: 2 }] })).toEqual([['x', [2], [1, 2]]]);
  });

  it('leaves optional inputs out where no row has them', () => {
    const specs = [spec('a', 'INT32'), spec('o', 'INT32', true)];
    expect(inputs({ instances: [{ a: 1 }] }, ...specs)).toEqual([['a', [1], [1]]]);
    expect(inputs({ instances: [1] }, ...specs)).toEqual([['a', [1], [1]]]);
    expect(refusal({ instances: [{ a: 1 }, { a: 1, o: 2 }] }, ...specs)).toMatch(
      /MISSING_INPUT: instance 0 has no input "o"/,
    );
  });

  it('takes one value a row for inputs of one element a row', () => {
    const unit = { ...X, dims: [1] };
    expect(inputs({ instances: [5, 6] }, unit)).toEqual([['x', [2, 1], [5, 6]]]);
    expect(inputs({ instances: [[5], [6]] }, unit)).toEqual([['x', [2, 1], [5, 6]]]);
    expect(inputs({ instances: [{ x: 5 }] }, { ...X, dims: [1, -1] })).toEqual([['x', [1, 1, 1], [5]]]);
    expect(inputs({ inputs: [5, 6] }, { ...X, dims: [2] })).toEqual([['x', [2], [5, 6]]]);
  });

  it('takes columns, with and without names, and scalars', () => {
    expect(inputs({ inputs: [[1, 2]] })).toEqual([['x', [1, 2], [1, 2]]]);
    expect(inputs({ inputs: 7 })).toEqual([['x', [], [7]]]);
    expect(inputs({ inputs: { b: true, a: [9] } }, spec('a', 'UINT8'), spec('b', 'BOOL'))).toEqual([
      ['b', [], [1]],
      ['a', [1], [9]],
    ]);
    expect(decode({ inputs: [1] })?.kind).toBe('columns');
  });

  it('takes base64 for bytes, in rows, columns and as the only value', () => {
    const image = spec('image_bytes', 'BYTES');
    const b64 = Buffer.from('hello, bytes').toString('base64');
    expect(inputs({ instances: [{ b64 }, { b64 }] }, image)).toEqual([
      ['image_bytes', [2], ['hello, bytes', 'hello, bytes']],
    ]);
    expect(inputs({ instances: [{ image_bytes: { b64 } }] }, image)).toEqual([['image_bytes', [1], ['hello, bytes']]]);
    expect(inputs({ inputs: { b64 } }, image)).toEqual([['image_bytes', [], ['hello, bytes']]]);
    expect(refusal({ instances: [{ b64: '*' }] }, image)).toMatch(/valid base64, came|valid base64 for BYTES/);
    expect(refusal({ instances: [{ b64 }] })).toMatch(/DATA_TYPE_MISMATCH: input "x": element 0/);
  });

  it('takes NaN and infinities as TensorFlow Serving does', () => {
    expect(inputs('{"instances":[NaN,Infinity,-Infinity,Inf,-Inf]}')).toEqual([
      ['x', [5], [Number.NaN, Infinity, -Infinity, Infinity, -Infinity]],
    ]);
  });

  it('takes numbers for half floats, and refuses those they cannot hold', () => {
    expect(inputs({ instances: [1, -2.5] }, spec('h', 'FP16'))).toEqual([['h', [2], [0x3c00, 0xc100]]]);
    expect(inputs({ instances: [1] }, spec('h', 'BF16'))).toEqual([['h', [1], [0x3f80]]]);
    expect(refusal({ instances: [70000] }, spec('h', 'FP16'))).toMatch(/input "h": element 0 .* FP16, came 70000/);
    expect(refusal({ instances: [3.4e38, 3.3999e38] }, spec('h', 'BF16'))).toMatch(/DATA_TYPE_MISMATCH.*BF16/);
  });

  it('names the one signature and ignores other keys', () => {
    expect(inputs({ signature_name: 'serving_default', instances: [1], extra: { deep: [1] } })).toEqual([
      ['x', [1], [1]],
    ]);
    expect(refusal({ signature_name: 'other', instances: [1] })).toMatch(/Serving signature key "other" not found/);
  });

  it.each([['[1, 2]'], ['{"x": 1}'], ['{}'], ['"text"'], ['']])('is not for %s', (body) => {
    expect(decode(body)).toBeUndefined();
  });

  it.each([
    [{ instances: [] }, /MALFORMED_REQUEST: "instances" is empty/],
    [{ instances: 5 }, /MALFORMED_REQUEST: JSON at byte 13: expected an array \(instances\), came "5/],
    [{ instances: [1], inputs: [1] }, /both "instances" and "inputs"/],
    [{ signature_name: 'serving_default' }, /neither "instances" nor "inputs"/],
    ['{"instances":[1],"instances":[2]}', /has "instances" twice/],
    [{ instances: [[1, 2], [3]] }, /SHAPE_MISMATCH: input "x": shape \[2,2\]/],
    [{ instances: [[1], 2] }, /MALFORMED_REQUEST: JSON at byte 18/],
    [{ instances: [1, [2]] }, /DATA_TYPE_MISMATCH: input "x": element 1/],
    [
      { instances: ['a'] },
      /DATA_TYPE_MISMATCH: input "x": element 0 must be a number in range for FP32, came "\\"a\\""/,
    ],
    [{ instances: [1, { x: 2 }] }, /DATA_TYPE_MISMATCH: input "x": element 1/],
    [{ instances: [{ x: 2 }, 1] }, /MALFORMED_REQUEST: .*expected an object \(instance 1\), came "1/],
    [{ instances: [{ y: 2 }] }, /UNKNOWN_INPUT: unexpected input "y"; the model has: "x"/],
    [{ inputs: { y: 2 } }, /UNKNOWN_INPUT: unexpected input "y"/],
    ['{"instances":[{"x":1,"x":2}]}', /instance 0 has input "x" twice/],
    [{ instances: [{ x: 2 }, {}] }, /MISSING_INPUT: instance 1 has no input "x"/],
    ['{"instances":[[1,2]', /MALFORMED_REQUEST: JSON at byte 19: expected an end of the array/],
    ['{"instances":[1,2]}x', /expected nothing more, came "x"/],
    [`{"instances":${'['.repeat(65)}1${']'.repeat(65)}}`, /nested more than 64 levels/],
    ['{"instances":["\\ud800"]}', /DATA_TYPE_MISMATCH|surrogate/],
  ])('refuses %j', (body, expected) => {
    expect(refusal(body)).toMatch(expected);
  });

  it('asks for names where a model has several inputs', () => {
    expect(refusal({ instances: [1] }, spec('a', 'FP32'), spec('b', 'FP32'))).toMatch(
      /MALFORMED_REQUEST: the values of "instances" have no names, expected an object with the inputs "a", "b"/,
    );
  });

  it('gives the same from a pool thread', () => {
    const body = Buffer.from(JSON.stringify({ instances: [{ a: [1], b: ['x', 'yz'] }] }));
    const specs = [spec('a', 'FP64'), spec('b', 'BYTES')];
    const task = decodePredict({ body, inputs: specs, ...HOW });
    if (task.kind === 'other') throw new Error('the body is of this form');
    const posted = structuredClone(task, { transfer: [task.buffer] });
    expect(attachPredict(posted).inputs.map(shown)).toEqual(decodePredictBody(body, specs, true)?.inputs.map(shown));
    const other = Buffer.from('[]');
    expect(decodePredict({ body: other, inputs: specs, ...HOW })).toEqual({ kind: 'other', body: other });
  });

  it('reads any nesting of numbers as JSON.parse does', () => {
    const nested = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }).chain((shape) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return fc.tuple(
        fc.constant(shape),
        fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: count, maxLength: count }),
      );
    });
    fc.assert(
      fc.property(nested, ([shape, values]) => {
        const read = decode({ instances: nestedOf(shape, values) }, spec('x', 'FP64'))!.inputs[0]!;
        expect(read.shape).toEqual(shape);
        expect([...typedView('FP64', read.data)]).toEqual(values.map((value) => (Object.is(value, -0) ? 0 : value)));
      }),
      { numRuns: 200 },
    );
  });
});

function nestedOf(shape: readonly number[], values: readonly number[]): unknown {
  const [size, ...rest] = shape;
  if (size === undefined) return values[0];
  const part = values.length / size;
  return Array.from({ length: size }, (_, i) => nestedOf(rest, values.slice(i * part, (i + 1) * part)));
}
