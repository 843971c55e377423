import fc from 'fast-check';
import { describe, it } from 'vitest';
import { CONTEXT } from '../../../../test/support/inference-samples.js';
import { byteSize, countBytesElements, ServingError } from '../../../core/index.js';
import { checkedCount, TensorLabel } from '../checked-tensor.js';
import { decodeStreamFrame } from '../v2-ws/stream-frame.js';
import { type DecodedRequest, decodeInferBody } from './infer-request.js';

const VALID = Buffer.from(
  '{"id":"a","parameters":{"priority":1,"k":9007199254740993},"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32",' +
    '"data":[[1.5,-2e3],[0.1,4]]},{"name":"s","shape":[2],"datatype":"BYTES","data":["\\u00e9","b"]},' +
    '{"name":"b","shape":[1],"datatype":"BOOL","data":[true]},{"name":"l","shape":[1],"datatype":"INT64","data":[-5]}],' +
    '"outputs":[{"name":"y","parameters":{"binary_data":true,"classification":2}}]}',
);

/** Refused with a `ServingError`, or a request whose shapes and bytes agree. */
function check(decode: () => DecodedRequest): void {
  let decoded: DecodedRequest;
  try {
    decoded = decode();
  } catch (thrown) {
    if (thrown instanceof ServingError) return;
    throw thrown;
  }
  for (const { dataType, shape, data } of decoded.request.inputs) {
    const count = checkedCount(new TensorLabel('input', 0), shape);
    const agrees =
      dataType === 'BYTES' ? countBytesElements(data) === count : byteSize(dataType, shape) === data.byteLength;
    if (!agrees) throw new Error(`${dataType} [${shape}] with ${data.byteLength} bytes was taken`);
  }
}

function checkBytes(body: Uint8Array): void {
  for (const headerLength of [undefined, 0, 1, body.length - 1, body.length]) {
    check(() => decodeInferBody(body, { ...CONTEXT, headerLength, allowNan: headerLength === undefined }));
  }
  check(() => decodeStreamFrame(body, true, { ...CONTEXT, allowNan: false }));
  check(() => decodeStreamFrame(body, false, { ...CONTEXT, allowNan: false }));
}

describe('hostile bodies', () => {
  it('random bytes are refused, never crash', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), checkBytes), { numRuns: 5000 });
  });

  it('random JSON is refused or sound', () => {
    const json = fc.oneof(
      fc.jsonValue(),
      fc.record({
        inputs: fc.array(
          fc.record(
            {
              name: fc.string(),
              shape: fc.array(fc.nat(3)),
              datatype: fc.constantFrom('FP32', 'BYTES', 'INT8'),
              data: fc.jsonValue(),
            },
            { requiredKeys: [] },
          ),
        ),
      }),
    );
    fc.assert(
      fc.property(json, (value) => checkBytes(Buffer.from(JSON.stringify(value)))),
      { numRuns: 3000 },
    );
  });

  it('a valid body with bytes changed, cut out or doubled is refused or sound', () => {
    const mutation = fc.record({
      at: fc.nat(VALID.length - 1),
      remove: fc.nat(4),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 3 }),
        fc.constantFrom(...'[]{}",:0-eE.\\tfn'.split('')).map((text) => Buffer.from(text)),
      ),
    });
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        let body: Uint8Array = VALID;
        for (const { at, remove, insert } of mutations) {
          body = Buffer.concat([body.subarray(0, at), insert, body.subarray(at + remove)]);
        }
        checkBytes(body);
      }),
      { numRuns: 15_000 },
    );
  });

  it('every prefix of a valid body is refused', () => {
    for (let length = 0; length < VALID.length; length++) {
      let taken = true;
      try {
        decodeInferBody(VALID.subarray(0, length), { ...CONTEXT, headerLength: undefined, allowNan: false });
      } catch (thrown) {
        if (!(thrown instanceof ServingError)) throw thrown;
        taken = false;
      }
      if (taken) throw new Error(`a prefix of ${length} bytes was taken`);
    }
  });
});
