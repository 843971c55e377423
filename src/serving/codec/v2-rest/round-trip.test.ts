import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONTEXT, responseOf } from '../../../../test/support/inference-samples.js';
import { ALL_DATA_TYPES, JSON_DATA_TYPES, tensors } from '../../../../test/support/tensor-arbitrary.js';
import { elementCount, type Tensor } from '../../../core/index.js';
import { encodeInferReply } from './infer-reply.js';
import { decodeInferBody } from './infer-request.js';
import { BINARY_REPLY, JSON_REPLY } from './reply-format.js';

const STRICT = { ...CONTEXT, headerLength: undefined, allowNan: false };

function plain(inputs: readonly Tensor[]): unknown {
  return inputs.map(({ name, dataType, shape, data }) => ({ name, dataType, shape: [...shape], bytes: [...data] }));
}

/** Nests the flat `data` array text as `shape` has it. */
function nested(items: readonly string[], shape: readonly number[]): string {
  if (shape.length === 0) return `[${items.join(',')}]`;
  const [size = 0, ...rest] = shape;
  if (rest.length === 0) return `[${items.join(' ,')}]`;
  const each = elementCount(rest);
  return `[${Array.from({ length: size }, (_, i) => nested(items.slice(i * each, (i + 1) * each), rest)).join(',\n')}]`;
}

describe('V2 REST, an answer sent back as a request', () => {
  it('is the same tensor through JSON, for every data type with a JSON form', () => {
    fc.assert(
      fc.property(tensors(JSON_DATA_TYPES, { anyBits: false }), (tensor) => {
        const { body, headerLength } = encodeInferReply(responseOf([tensor]), JSON_REPLY, { allowNan: false });
        expect(headerLength).toBeUndefined();
        const asRequest = body.toString().replace('"outputs":[', '"inputs":[');
        const { request } = decodeInferBody(Buffer.from(asRequest), STRICT);
        expect(plain(request.inputs)).toEqual(plain([tensor]));
      }),
      { numRuns: 600 },
    );
  });

  it('is the same tensor where its data are nested, before or after shape and datatype', () => {
    const flatTypes = JSON_DATA_TYPES.filter((name) => name !== 'BYTES');
    fc.assert(
      fc.property(tensors(flatTypes, { anyBits: false }), fc.boolean(), (tensor, dataFirst) => {
        const { body } = encodeInferReply(responseOf([tensor]), JSON_REPLY, { allowNan: false });
        const text = body.toString();
        const flat = text.slice(text.lastIndexOf('"data":[') + 8, text.lastIndexOf(']}]}'));
        const data = `"data":${nested(flat === '' ? [] : flat.split(','), tensor.shape)}`;
        const head = `"shape":[${tensor.shape}],"datatype":"${tensor.dataType}"`;
        const input = dataFirst ? `${data},${head}` : `${head},${data}`;
        const { request } = decodeInferBody(Buffer.from(`{"inputs":[{"name":"x",${input}}]}`), STRICT);
        expect(plain(request.inputs)).toEqual(plain([{ ...tensor, name: 'x' }]));
      }),
      { numRuns: 400 },
    );
  });

  it('is the same list of tensors through binary data, for every data type and any bits', () => {
    const list = fc.uniqueArray(tensors(ALL_DATA_TYPES, { anyBits: true }), {
      maxLength: 4,
      selector: ({ name }) => name,
    });
    fc.assert(
      fc.property(list, (outputs) => {
        const { body, headerLength } = encodeInferReply(responseOf(outputs), BINARY_REPLY, { allowNan: false });
        const jsonBytes = headerLength ?? body.length;
        const json = Buffer.from(body.subarray(0, jsonBytes).toString().replace('"outputs":[', '"inputs":['));
        const asRequest = Buffer.concat([json, body.subarray(jsonBytes)]);
        const { request } = decodeInferBody(asRequest, { ...STRICT, headerLength: json.length });
        expect(plain(request.inputs)).toEqual(plain(outputs));
      }),
      { numRuns: 600 },
    );
  });

  it('keeps NaN and the infinities through JSON where they are allowed', () => {
    const data = new Uint8Array(
      Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1).buffer,
    );
    const tensor: Tensor = { name: 'x', dataType: 'FP32', shape: [4], data };
    const { body } = encodeInferReply(responseOf([tensor]), JSON_REPLY, { allowNan: true });
    const asRequest = Buffer.from(body.toString().replace('"outputs":[', '"inputs":['));
    const { request } = decodeInferBody(asRequest, { ...STRICT, allowNan: true });
    expect(plain(request.inputs)).toEqual(plain([tensor]));
    expect(() => decodeInferBody(asRequest, STRICT)).toThrow(/NaN and Infinity are not JSON/);
  });
});
