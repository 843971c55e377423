import { describe, expect, it } from 'vitest';
import { responseOf } from '../../../../test/support/inference-samples.js';
import { ServingError, serialiseBytes, type Tensor } from '../../../core/index.js';
import { encodeError, encodeInferReply } from './infer-reply.js';
import { JSON_REPLY } from './reply-format.js';

function tensor(dataType: Tensor['dataType'], shape: number[], data: Uint8Array): Tensor {
  return { name: 'y', dataType, shape, data };
}

function json(outputs: readonly Tensor[], allowNan = false): string {
  return encodeInferReply(responseOf(outputs), JSON_REPLY, { allowNan }).body.toString();
}

describe('a V2 inference reply', () => {
  it('has the layout of the protocol', () => {
    const first = tensor('INT32', [1, 2], new Uint8Array(Int32Array.of(-1, 2147483647).buffer));
    const second = { ...tensor('UINT8', [2], Uint8Array.of(7, 8)), name: 'b"' };
    const response = responseOf([first, second], { id: 'ä"1', parameters: { k: 1n, 'a"': 'v', t: true } });
    const format = { binary: false, byName: new Map([['b"', true]]) };
    const { body, headerLength } = encodeInferReply(response, format, { allowNan: false });
    const text = body.toString('utf8', 0, headerLength);
    expect(JSON.parse(text)).toEqual({
      model_name: 'm',
      model_version: '3',
      id: 'ä"1',
      parameters: { k: 1, 'a"': 'v', t: true },
      outputs: [
        { name: 'y', datatype: 'INT32', shape: [1, 2], data: [-1, 2147483647] },
        { name: 'b"', datatype: 'UINT8', shape: [2], parameters: { binary_data_size: 2 } },
      ],
    });
    expect([...body.subarray(headerLength)]).toEqual([7, 8]);
  });

  it('leaves out id and parameters that are not there', () => {
    expect(json([])).toBe('{"model_name":"m","model_version":"3","outputs":[]}');
  });

  it('reads data at any alignment', () => {
    const shifted = new Uint8Array(17).subarray(1);
    shifted.set(new Uint8Array(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n).buffer));
    expect(json([tensor('INT64', [2], shifted)])).toContain('"data":[-9223372036854775808,9223372036854775807]');
    expect(json([tensor('UINT64', [1], shifted.subarray(0, 8))])).toContain('"data":[9223372036854775808]');
  });

  it('escapes BYTES and keeps their UTF-8', () => {
    const texts = ['a"\\/', '\u0000\u001f\n', '😀', ''];
    const data = serialiseBytes(texts.map((text) => new TextEncoder().encode(text)));
    expect(JSON.parse(json([tensor('BYTES', [4], data)])).outputs[0].data).toEqual(texts);
  });

  it.each([
    ['NaN', Number.NaN],
    ['Infinity', Number.POSITIVE_INFINITY],
    ['-Infinity', Number.NEGATIVE_INFINITY],
  ])('refuses %s in JSON unless it is allowed', (text, value) => {
    const output = tensor('FP64', [1], new Uint8Array(Float64Array.of(value).buffer));
    expect(() => json([output])).toThrow(`output "y": element 0 is ${text}, which JSON cannot carry`);
    expect(json([output], true)).toContain(`"data":[${text}]`);
  });

  it('refuses BYTES that are not UTF-8 and data types without a JSON form, and works on after it', () => {
    const broken = tensor('BYTES', [1], serialiseBytes([Uint8Array.of(0xff)]));
    expect(() => json([broken])).toThrow(/element 0 is not UTF-8/);
    expect(() => json([tensor('FP16', [1], new Uint8Array(2))])).toThrow(
      /FP16 has no JSON form; ask for it with parameters.binary_data/,
    );
    expect(json([])).toBe('{"model_name":"m","model_version":"3","outputs":[]}');
  });

  it('encodes large replies whole', () => {
    const values = Float32Array.from({ length: 200_000 }, (_, i) => Math.fround(i / 7));
    const parsed = JSON.parse(json([tensor('FP32', [200_000], new Uint8Array(values.buffer))])).outputs[0].data;
    expect(Float32Array.from(parsed)).toEqual(values);
  });

  it('answers errors with their message only', () => {
    const error = new ServingError('SHAPE_MISMATCH', 'input "x": no', { cause: new Error('secret') });
    expect(encodeError(error).toString()).toBe('{"error":"input \\"x\\": no"}');
  });
});
