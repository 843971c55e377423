import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesElements,
  DATA_TYPES,
  type DataType,
  type InferenceResponse,
  serialiseBytes,
  type Tensor,
  typedView,
} from '../../../core/index.js';
import { OWN_ROOM } from '../reply-room.js';
import { TENSORFLOW_TYPES } from '../tf-serving/tensorflow-types.js';
import { protoRoot } from '../v2-grpc/proto-root.js';
import { decodePredictRequest, encodePredictResponse } from './predict-messages.js';

const MAX_BYTES = 1e6;
const type = (name: string) => protoRoot().lookupType(`tensorflow.serving.${name}`);

function request(inputs: Record<string, unknown>, rest: Record<string, unknown> = {}): Buffer {
  const found = type('PredictRequest');
  return Buffer.from(found.encode(found.fromObject({ model_spec: { name: 'm' }, inputs, ...rest })).finish());
}

const shape = (...sizes: number[]) => ({ dim: sizes.map((size) => ({ size })) });

function only(tensor: Record<string, unknown>): Tensor {
  return decodePredictRequest(request({ x: tensor }), MAX_BYTES).inputs[0] as Tensor;
}

function values({ dataType, data }: Tensor): unknown[] {
  return dataType === 'BYTES'
    ? bytesElements(data).map((one) => Buffer.from(one).toString())
    : [...typedView(dataType, data)];
}

function refusal(bytes: Buffer): string {
  try {
    decodePredictRequest(bytes, MAX_BYTES);
  } catch (thrown) {
    const { reason, message } = thrown as { reason: string; message: string };
    return `${reason}: ${message}`;
  }
  return 'none';
}

const NUMBERS = (Object.keys(DATA_TYPES) as DataType[]).filter((name) => name !== 'BYTES');

describe('PredictRequest', () => {
  it.each(NUMBERS)('reads %s from tensor_content', (dataType) => {
    const data = Buffer.alloc(DATA_TYPES[dataType].elementBytes * 2, 1);
    const tensor = only({ dtype: TENSORFLOW_TYPES[dataType].name, tensor_shape: shape(1, 2), tensor_content: data });
    expect([tensor.dataType, tensor.shape, Buffer.from(tensor.data)]).toEqual([dataType, [1, 2], data]);
  });

  it.each([
    ['DT_FLOAT', 'float_val', [1.5, -2], [1.5, -2]],
    ['DT_DOUBLE', 'double_val', [1e300, -2], [1e300, -2]],
    ['DT_INT32', 'int_val', [-5, 7], [-5, 7]],
    ['DT_INT8', 'int_val', [-128, 127], [-128, 127]],
    ['DT_UINT8', 'int_val', [0, 255], [0, 255]],
    ['DT_INT16', 'int_val', [-1, 2], [-1, 2]],
    ['DT_UINT16', 'int_val', [0, 65535], [0, 65535]],
    ['DT_HALF', 'half_val', [0x3c00, 0xc000], [0x3c00, 0xc000]],
    ['DT_BFLOAT16', 'half_val', [0x3f80, 0], [0x3f80, 0]],
    ['DT_INT64', 'int64_val', ['-9007199254740993', '1'], [-9007199254740993n, 1n]],
    ['DT_UINT64', 'uint64_val', ['18446744073709551615', '0'], [18446744073709551615n, 0n]],
    ['DT_UINT32', 'uint32_val', [4294967295, 0], [4294967295, 0]],
    ['DT_BOOL', 'bool_val', [true, false], [1, 0]],
    ['DT_STRING', 'string_val', [Buffer.from('a'), Buffer.from('\u00e9')], ['a', '\u00e9']],
  ])('reads %s from %s', (dtype, field, sent, expected) => {
    expect(values(only({ dtype, tensor_shape: shape(2), [field]: sent }))).toEqual(expected);
  });

  it('takes the last element for those that lack, and zeros for none', () => {
    expect(values(only({ dtype: 'DT_FLOAT', tensor_shape: shape(2, 2), float_val: [1, 3] }))).toEqual([1, 3, 3, 3]);
    expect(values(only({ dtype: 'DT_INT64', tensor_shape: shape(3), int64_val: [-7] }))).toEqual([-7n, -7n, -7n]);
    expect(values(only({ dtype: 'DT_INT8', tensor_shape: shape(5), int_val: [1, 2] }))).toEqual([1, 2, 2, 2, 2]);
    expect(values(only({ dtype: 'DT_STRING', tensor_shape: shape(2), string_val: [Buffer.from('a')] }))).toEqual([
      'a',
      'a',
    ]);
    expect(values(only({ dtype: 'DT_DOUBLE', tensor_shape: shape(2) }))).toEqual([0, 0]);
    expect(values(only({ dtype: 'DT_STRING', tensor_shape: shape(1) }))).toEqual(['']);
  });

  it('reads the model, its version or label, and the outputs asked for', () => {
    const read = (model_spec: Record<string, unknown>) =>
      decodePredictRequest(request({}, { model_spec }), MAX_BYTES).named;
    expect(read({ name: 'm', version: { value: 7 } })).toEqual({ model: 'm', version: 7, label: '', signature: '' });
    expect(read({ name: 'm', version_label: 'stable', signature_name: 'serving_default' })).toEqual({
      model: 'm',
      version: undefined,
      label: 'stable',
      signature: 'serving_default',
    });
    expect(decodePredictRequest(request({}, { output_filter: ['y'] }), MAX_BYTES).outputs).toEqual([
      { name: 'y', classification: 0 },
    ]);
  });

  const X = { dtype: 'DT_FLOAT', tensor_shape: shape(2) };
  it.each([
    [request({ x: { ...X, float_val: [1, 2, 3] } }), /SHAPE_MISMATCH: input "x": its shape has 2 elements, more came/],
    [
      request({ x: { ...X, tensor_content: Buffer.alloc(9) } }),
      /SHAPE_MISMATCH: input "x": FP32 of shape \[2\] takes 8 bytes, came 9/,
    ],
    [
      request({ x: { ...X, tensor_content: Buffer.alloc(8), float_val: [1] } }),
      /MALFORMED_REQUEST: input "x" has both tensor_content/,
    ],
    [
      request({ x: { ...X, int_val: [1] } }),
      /DATA_TYPE_MISMATCH: input "x": elements of DT_FLOAT stand in field 5, came field 7/,
    ],
    [
      request({ x: { ...X, dtype: 'DT_COMPLEX64' } }),
      /DATA_TYPE_MISMATCH: input "x": its dtype 8 has no data type here/,
    ],
    [
      request({ x: { dtype: 'DT_INT8', tensor_shape: shape(1), int_val: [200] } }),
      /element 0 must be from -128 to 127 for INT8, came 200/,
    ],
    [
      request({ x: { ...X, tensor_shape: shape(-1) } }),
      /SHAPE_MISMATCH: input "x": dimension 0 must be an integer from 0/,
    ],
    [
      request({ x: { ...X, tensor_shape: { unknown_rank: true } } }),
      /SHAPE_MISMATCH: input "x": its shape has unknown_rank/,
    ],
    [request({ x: { ...X, tensor_shape: shape(1e6, 1e6), float_val: [1] } }), /BODY_TOO_LARGE: input "x": shape/],
    [
      request({ x: { dtype: 'DT_STRING', tensor_shape: shape(1000), string_val: [Buffer.alloc(5000)] } }),
      /BODY_TOO_LARGE/,
    ],
    [
      request({ x: { dtype: 'DT_STRING', tensor_shape: shape(1), tensor_content: Buffer.of(1) } }),
      /UNSUPPORTED: input "x"/,
    ],
    [request({}, { model_spec: null }), /MALFORMED_REQUEST: the request has no model_spec/],
    [request({}, { model_spec: { name: '../m' } }), /MALFORMED_REQUEST: the model name/],
    [
      request({}, { model_spec: { name: 'm', version: { value: -1 } } }),
      /version of model_spec must be an integer from 1/,
    ],
    [Buffer.from([0x2a, 0x00]), /UNSUPPORTED: predict_streamed_options/],
    [Buffer.from([0x0a, 0x7f]), /MALFORMED_REQUEST: protocol buffer/],
  ])('refuses case %#', (bytes, expected) => {
    expect(refusal(bytes)).toMatch(expected);
  });

  it('never fails otherwise than by a refusal, whatever the bytes', () => {
    const base = request({
      x: { ...X, float_val: [1, 2] },
      y: { dtype: 'DT_INT64', tensor_shape: shape(2), int64_val: [1] },
    });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(base.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(base.length),
        (edits, cut) => {
          const bytes = Buffer.from(base.subarray(0, base.length - (cut % 4)));
          for (const [at, byte] of edits) if (at < bytes.length) bytes[at] = byte;
          expect(refusal(bytes)).not.toMatch(/^undefined/);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('PredictResponse', () => {
  function answered(...outputs: Tensor[]): Record<string, unknown> {
    const response = { version: { model: 'm', version: 300 }, outputs } as unknown as InferenceResponse;
    const bytes = encodePredictResponse(response, 5, OWN_ROOM).subarray(5);
    const found = type('PredictResponse');
    return found.toObject(found.decode(bytes), {
      longs: String,
      enums: String,
      defaults: true,
      arrays: false,
    }) as never;
  }

  it('names model and version', () => {
    expect(answered().model_spec).toEqual({
      name: 'm',
      version: { value: '300' },
      signature_name: 'serving_default',
    });
  });

  it.each([
    ['FP32', 'float_val', Float32Array.of(1.5, -2), [1.5, -2]],
    ['FP64', 'double_val', Float64Array.of(1e300, 0), [1e300, 0]],
    ['INT32', 'int_val', Int32Array.of(-5, 300), [-5, 300]],
    ['INT8', 'int_val', Int8Array.of(-1, 127), [-1, 127]],
    ['UINT8', 'int_val', Uint8Array.of(0, 255), [0, 255]],
    ['UINT16', 'int_val', Uint16Array.of(0, 65535), [0, 65535]],
    ['INT16', 'int_val', Int16Array.of(-300, 1), [-300, 1]],
    ['INT64', 'int64_val', BigInt64Array.of(-1n, 2n ** 62n), ['-1', '4611686018427387904']],
    ['UINT64', 'uint64_val', BigUint64Array.of(2n ** 64n - 1n, 0n), ['18446744073709551615', '0']],
    ['UINT32', 'uint32_val', Uint32Array.of(4294967295, 0), [4294967295, 0]],
    ['FP16', 'half_val', Uint16Array.of(0x3c00, 0xfbff), [0x3c00, 0xfbff]],
    ['BF16', 'half_val', Uint16Array.of(0x3f80, 1), [0x3f80, 1]],
    ['BOOL', 'bool_val', Uint8Array.of(1, 0), [true, false]],
  ] as const)('writes %s into %s', (dataType, field, elements, expected) => {
    const data = new Uint8Array(elements.buffer);
    const { outputs } = answered({ name: 'y', dataType, shape: [2, 1], data }) as {
      outputs: Record<string, Record<string, unknown>>;
    };
    expect(outputs.y).toMatchObject({ dtype: TENSORFLOW_TYPES[dataType].name, [field]: expected });
    expect((outputs.y!.tensor_shape as { dim: { size: string }[] }).dim.map(({ size }) => size)).toEqual(['2', '1']);
  });

  it('writes strings, empty tensors and several outputs', () => {
    const texts: Tensor = {
      name: 't',
      dataType: 'BYTES',
      shape: [2],
      data: serialiseBytes([Buffer.from('a'), Buffer.alloc(200, 98)]),
    };
    const none: Tensor = { name: 'n', dataType: 'INT64', shape: [0, 3], data: new Uint8Array(0) };
    const { outputs } = answered(texts, none) as { outputs: Record<string, Record<string, unknown>> };
    expect((outputs.t!.string_val as Buffer[]).map((one) => one.length)).toEqual([1, 200]);
    expect(outputs.n!.int64_val).toEqual([]);
    expect(outputs.n!.tensor_shape).toMatchObject({ dim: [{ size: '0' }, { size: '3' }] });
  });
});
