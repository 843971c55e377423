import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTEXT, responseOf } from '../../../../test/support/inference-samples.js';
import { ALL_DATA_TYPES, tensors } from '../../../../test/support/tensor-arbitrary.js';
import {
  byteSize,
  bytesElements,
  countBytesElements,
  DATA_TYPES,
  type InferenceRequest,
  type Reason,
  ServingError,
  serialiseBytes,
  type Tensor,
  typedView,
} from '../../../core/index.js';
import { checkedCount, TensorLabel } from '../checked-tensor.js';
import { decodeModelInfer } from './infer-request.js';
import { encodeModelInferResponse, encodeStreamResponse, encodeStreamResponseError } from './infer-response.js';
import { protoRoot } from './proto-root.js';

/** The generic reader and writer of protobufjs: the oracle that ours are compared with. */
function oracle(name: string) {
  const type = protoRoot().lookupType(`inference.${name}`);
  return {
    encode: (message: Record<string, unknown>) => Buffer.from(type.encode(type.fromObject(message)).finish()),
    decode: (bytes: Uint8Array) => type.toObject(type.decode(bytes), { longs: String, defaults: true, oneofs: true }),
  };
}

const Request = oracle('ModelInferRequest');
const Response = oracle('ModelInferResponse');
const StreamResponse = oracle('ModelStreamInferResponse');

function decode(message: Record<string, unknown>): InferenceRequest {
  return decodeModelInfer(Request.encode(message), CONTEXT);
}

function refusal(bytes: Uint8Array): { reason: Reason; message: string } {
  try {
    decodeModelInfer(bytes, CONTEXT);
  } catch (thrown) {
    if (thrown instanceof ServingError) return { reason: thrown.reason, message: thrown.message };
    throw thrown;
  }
  throw new Error('it was taken');
}

function plain(inputs: readonly Tensor[]): unknown {
  return inputs.map(({ name, dataType, shape, data }) => ({ name, dataType, shape: [...shape], bytes: [...data] }));
}

function head({ name, dataType, shape }: Tensor) {
  return { name, datatype: dataType, shape };
}

function typedContents({ dataType, data }: Tensor): Record<string, unknown> {
  const { contents } = DATA_TYPES[dataType];
  if (contents === 'bytes_contents') return { [contents]: bytesElements(data) };
  const values = [...(typedView(dataType, data) as Iterable<number | bigint>)];
  return {
    [contents]: values.map((value) =>
      typeof value === 'bigint' ? `${value}` : contents === 'bool_contents' ? value !== 0 : value,
    ),
  };
}

const anyTensors = fc.uniqueArray(tensors(ALL_DATA_TYPES, { anyBits: true }), {
  maxLength: 4,
  selector: ({ name }) => name,
});

describe('ModelInferRequest', () => {
  it('gives the raw tensors that protobufjs wrote, as views of the message', () => {
    fc.assert(
      fc.property(anyTensors, (inputs) => {
        const bytes = Request.encode({ inputs: inputs.map(head), raw_input_contents: inputs.map(({ data }) => data) });
        const request = decodeModelInfer(bytes, CONTEXT);
        expect(plain(request.inputs)).toEqual(plain(inputs));
        for (const { data } of request.inputs) expect(data.buffer).toBe(bytes.buffer);
      }),
      { numRuns: 500 },
    );
  });

  it('gives the tensors of typed contents, for every data type that has them', () => {
    const types = ALL_DATA_TYPES.filter((name) => DATA_TYPES[name].contents !== 'raw');
    fc.assert(
      fc.property(tensors(types, { anyBits: true }), (input) => {
        if (DATA_TYPES[input.dataType].json === 'float') {
          // A JavaScript number does not keep the payload of a NaN: compare values with one pattern for NaN.
          const values = typedView(input.dataType, input.data) as Float32Array;
          values.forEach((value, i) => {
            if (Number.isNaN(value)) values[i] = 0;
          });
          input = { ...input, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
        }
        const request = decode({ inputs: [{ ...head(input), contents: typedContents(input) }] });
        expect(plain(request.inputs)).toEqual(plain([input]));
      }),
      { numRuns: 500 },
    );
  });

  it('takes elements that are not packed, or packed in several runs', () => {
    const name = [0x0a, 1, 0x78];
    const cases: readonly (readonly [string, number, readonly number[], readonly number[]])[] = [
      ['INT32', 3, [0x10, 1, 0x12, 2, 2, 3], [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]],
      ['INT64', 2, [0x18, 1, 0x1a, 1, 2], [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]],
      ['FP32', 2, [0x35, 1, 2, 3, 4, 0x32, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8]],
      ['BOOL', 3, [0x0a, 0, 0x08, 1, 0x0a, 3, 0, 0x80, 1], [1, 0, 1]],
    ];
    for (const [type, count, contents, expected] of cases) {
      const tensor = [
        ...name,
        0x12,
        type.length,
        ...Buffer.from(type),
        0x18,
        count,
        0x2a,
        contents.length,
        ...contents,
      ];
      const { inputs } = decodeModelInfer(Uint8Array.of(0x2a, tensor.length, ...tensor), CONTEXT);
      expect([...(inputs[0]?.data ?? [])]).toEqual(expected);
    }
  });

  it('takes ids, versions, outputs and parameters', () => {
    const request = decode({
      model_name: 'mödel',
      model_version: '12',
      id: 'r1',
      parameters: {
        priority: { uint64_param: 2 },
        timeout: { int64_param: 1500 },
        a: { int64_param: '-9223372036854775808' },
        b: { uint64_param: '18446744073709551615' },
        c: { double_param: 0.25 },
        d: { string_param: '' },
        e: { bool_param: true },
        f: { int64_param: '-3' },
        __proto__x: { bool_param: false },
      },
      outputs: [{ name: 'y', parameters: { classification: { int64_param: 3 } } }, { name: 'z' }],
    });
    expect(request).toMatchObject({
      model: 'mödel',
      version: 12,
      id: 'r1',
      priority: 2,
      timeoutUs: 1500,
      receivedNs: 1,
      decodedNs: 2,
    });
    expect({ ...request.parameters }).toEqual({
      ...{ a: -9223372036854775808n, b: 18446744073709551615n, c: 0.25, d: '', e: true, f: -3 },
      __proto__x: false,
    });
    expect(request.outputs).toEqual([
      { name: 'y', classification: 3 },
      { name: 'z', classification: 0 },
    ]);
  });

  const fp32 = { name: 'x', datatype: 'FP32', shape: [2] };
  const eight = Buffer.alloc(8);
  const refused: readonly (readonly [string, Record<string, unknown>, Reason, RegExp])[] = [
    [
      'raw and typed contents',
      { inputs: [{ ...fp32, contents: { fp32_contents: [1, 2] } }], raw_input_contents: [eight] },
      'MALFORMED_REQUEST',
      /input "x" has both/,
    ],
    [
      'raw contents for some inputs',
      { inputs: [fp32, { ...fp32, name: 'y' }], raw_input_contents: [eight] },
      'MALFORMED_REQUEST',
      /1 entries for 2 inputs/,
    ],
    ['raw contents without inputs', { raw_input_contents: [eight] }, 'MALFORMED_REQUEST', /1 entries for 0 inputs/],
    ['no contents', { inputs: [fp32] }, 'MALFORMED_REQUEST', /neither contents nor/],
    [
      'raw bytes of another length',
      { inputs: [fp32], raw_input_contents: [Buffer.alloc(7)] },
      'SHAPE_MISMATCH',
      /takes 8 bytes, came 7/,
    ],
    [
      'raw BYTES past the end',
      { inputs: [{ ...fp32, datatype: 'BYTES' }], raw_input_contents: [Buffer.alloc(7, 9)] },
      'SHAPE_MISMATCH',
      /runs past the end/,
    ],
    [
      'too few elements',
      { inputs: [{ ...fp32, contents: { fp32_contents: [1] } }] },
      'SHAPE_MISMATCH',
      /2 elements, its fp32_contents 1/,
    ],
    [
      'the wrong field',
      { inputs: [{ ...fp32, contents: { int_contents: [1, 2] } }] },
      'DATA_TYPE_MISMATCH',
      /takes fp32_contents, came int_contents/,
    ],
    [
      'typed FP16',
      { inputs: [{ ...fp32, datatype: 'FP16', contents: { fp32_contents: [1, 2] } }] },
      'DATA_TYPE_MISMATCH',
      /FP16 has no typed contents/,
    ],
    [
      'INT8 out of range',
      { inputs: [{ ...fp32, datatype: 'INT8', contents: { int_contents: [1, 128] } }] },
      'DATA_TYPE_MISMATCH',
      /element 1 must be from -128 to 127 for INT8, came 128/,
    ],
    [
      'UINT16 out of range',
      { inputs: [{ ...fp32, datatype: 'UINT16', contents: { uint_contents: [65536, 1] } }] },
      'DATA_TYPE_MISMATCH',
      /element 0 must be from 0 to 65535/,
    ],
    [
      'an unknown data type',
      { inputs: [{ ...fp32, datatype: 'constructor' }] },
      'DATA_TYPE_MISMATCH',
      /unknown datatype "constructor"/,
    ],
    [
      'a negative dimension',
      { inputs: [{ ...fp32, shape: [-1] }], raw_input_contents: [eight] },
      'SHAPE_MISMATCH',
      /dimension 0/,
    ],
    [
      'a huge shape',
      { inputs: [{ ...fp32, shape: ['9223372036854775807'], contents: { fp32_contents: [1] } }] },
      'SHAPE_MISMATCH',
      /dimension 0/,
    ],
    [
      'a shape whose product overflows',
      { inputs: [{ ...fp32, shape: [2147483648, 2147483648] }], raw_input_contents: [eight] },
      'SHAPE_MISMATCH',
      /2\^53/,
    ],
    [
      '65 dimensions',
      { inputs: [{ ...fp32, shape: Array(65).fill(1) }], raw_input_contents: [eight] },
      'SHAPE_MISMATCH',
      /more than 64 dimensions/,
    ],
    [
      'an input twice',
      { inputs: [fp32, fp32], raw_input_contents: [eight, eight] },
      'MALFORMED_REQUEST',
      /input "x" twice/,
    ],
    ['an output twice', { outputs: [{ name: 'y' }, { name: 'y' }] }, 'MALFORMED_REQUEST', /output "y" twice/],
    ['a version that is no number', { model_version: 'latest' }, 'MALFORMED_REQUEST', /model_version/],
    ['version 0', { model_version: '0' }, 'MALFORMED_REQUEST', /model_version/],
    ['a parameter without a value', { parameters: { a: {} } }, 'MALFORMED_REQUEST', /parameter "a" has no value/],
    ['a negative priority', { parameters: { priority: { int64_param: -1 } } }, 'MALFORMED_REQUEST', /"priority"/],
    [
      'shared memory',
      { inputs: [{ ...fp32, parameters: { shared_memory_region: { string_param: 'r' } } }] },
      'UNSUPPORTED',
      /shared memory/,
    ],
    [
      '100,000 outputs',
      { outputs: Array.from({ length: 100_000 }, (_, i) => ({ name: `${i}` })) },
      'MALFORMED_REQUEST',
      /more than 4096 outputs/,
    ],
    [
      '100,000 raw contents',
      { raw_input_contents: Array(100_000).fill(Buffer.alloc(0)) },
      'MALFORMED_REQUEST',
      /more than 4096 raw/,
    ],
  ];

  it.each(refused)('with %s is refused', (_, message, reason, text) => {
    const came = refusal(Request.encode(message));
    expect(came.message).toMatch(text);
    expect(came.reason).toBe(reason);
  });

  it('is refused or sound, whatever the bytes', () => {
    const valid = Request.encode({
      model_name: 'm',
      id: 'é',
      parameters: { a: { string_param: 'b' }, n: { uint64_param: 7 } },
      inputs: [
        { ...fp32, contents: { fp32_contents: [1, 2] } },
        { name: 's', datatype: 'BYTES', shape: [2], contents: { bytes_contents: [Buffer.from('a'), Buffer.alloc(0)] } },
        { name: 'i', datatype: 'INT64', shape: [1, 2], contents: { int64_contents: [-1, 300] } },
      ],
      outputs: [{ name: 'y', parameters: { classification: { int64_param: 3 } } }],
    });
    const check = (bytes: Uint8Array): void => {
      let request: InferenceRequest;
      try {
        request = decodeModelInfer(bytes, CONTEXT);
      } catch (thrown) {
        if (thrown instanceof ServingError) return;
        throw thrown;
      }
      for (const { dataType, shape, data } of request.inputs) {
        const count = checkedCount(new TensorLabel('input', 0), shape);
        const agrees =
          dataType === 'BYTES' ? countBytesElements(data) === count : byteSize(dataType, shape) === data.byteLength;
        if (!agrees) throw new Error(`${dataType} [${shape}] with ${data.byteLength} bytes was taken`);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), check), { numRuns: 10_000 });
    const change = fc.record({
      at: fc.nat(valid.length - 1),
      remove: fc.nat(3),
      insert: fc.uint8Array({ maxLength: 3 }),
    });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        let bytes: Uint8Array = valid;
        for (const { at, remove, insert } of changes)
          bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
        check(bytes);
      }),
      { numRuns: 20_000 },
    );
    for (let length = 0; length < valid.length; length++) check(valid.subarray(0, length));
  });
});

describe('ModelInferResponse', () => {
  it('is what protobufjs reads back: outputs, raw contents, parameters', () => {
    fc.assert(
      fc.property(anyTensors, fc.string(), (outputs, id) => {
        const parameters = { a: 'b', empty: '', t: true, n: -1, d: 0.5, big: 2n ** 64n - 1n, low: -(2n ** 63n) };
        const bytes = encodeModelInferResponse(responseOf(outputs, { id: id.toWellFormed(), parameters }));
        const message = Response.decode(bytes);
        expect(message).toMatchObject({ model_name: 'm', model_version: '3', id: id.toWellFormed() });
        expect(message.outputs).toEqual(
          outputs.map(({ name, dataType, shape }) => ({
            name,
            datatype: dataType,
            shape: shape.map(String),
            parameters: {},
            contents: null,
          })),
        );
        expect((message.raw_output_contents as Uint8Array[]).map((raw) => [...raw])).toEqual(
          outputs.map(({ data }) => [...data]),
        );
        expect(message.parameters).toEqual({
          a: { string_param: 'b', parameter_choice: 'string_param' },
          empty: { string_param: '', parameter_choice: 'string_param' },
          t: { bool_param: true, parameter_choice: 'bool_param' },
          n: { int64_param: '-1', parameter_choice: 'int64_param' },
          d: { double_param: 0.5, parameter_choice: 'double_param' },
          big: { uint64_param: '18446744073709551615', parameter_choice: 'uint64_param' },
          low: { int64_param: '-9223372036854775808', parameter_choice: 'int64_param' },
        });
      }),
      { numRuns: 300 },
    );
  });

  it('comes in a stream message, and errors do with the id of their request', () => {
    const output: Tensor = { name: 'y', dataType: 'BYTES', shape: [1], data: serialiseBytes([Buffer.from('é')]) };
    const answer = StreamResponse.decode(encodeStreamResponse(responseOf([output], { id: 'r' })));
    expect(answer).toMatchObject({ error_message: '', infer_response: { id: 'r', outputs: [{ name: 'y' }] } });
    expect(StreamResponse.decode(encodeStreamResponseError('bäd', 'r'))).toMatchObject({
      error_message: 'bäd',
      infer_response: { id: 'r', parameters: { triton_final_response: { bool_param: true } } },
    });
    expect(StreamResponse.decode(encodeStreamResponseError('bad', ''))).toMatchObject({
      error_message: 'bad',
      infer_response: { id: '', parameters: { triton_final_response: { bool_param: true } } },
    });
  });

  it('carries an output of megabytes whole', () => {
    const data = Buffer.alloc(3_000_000, 7);
    const message = Response.decode(
      encodeModelInferResponse(responseOf([{ name: 'y', dataType: 'UINT8', shape: [3_000_000], data }])),
    );
    expect(Buffer.compare((message.raw_output_contents as Uint8Array[])[0] as Uint8Array, data)).toBe(0);
  });
});
