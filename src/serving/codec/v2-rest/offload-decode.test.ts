import { describe, expect, it } from 'vitest';
import { CONTEXT } from '../../../../test/support/inference-samples.js';
import { decodeInferBody } from './infer-request.js';
import { attachV2Json, decodeV2Json } from './offload-decode.js';
import { wantsBinary } from './reply-format.js';

describe('decoding on another thread', () => {
  const json = Buffer.from(
    JSON.stringify({
      id: '7',
      parameters: { priority: 1, timeout: 5, a: 'b', binary_data_output: true },
      inputs: [
        { name: 'b', shape: [3], datatype: 'BOOL', data: [true, false, true] },
        { name: 'x', shape: [2], datatype: 'FP64', data: [1.5, 2.5] },
        { name: 'r', shape: [2], datatype: 'UINT8', parameters: { binary_data_size: 2 } },
      ],
      outputs: [{ name: 'y', parameters: { binary_data: false, classification: 1 } }, { name: 'z' }],
    }),
  );
  const body = Buffer.concat([json, Uint8Array.of(8, 9)]);

  it('gives the request that decoding at once gives, after a post to another thread', () => {
    const task = decodeV2Json({ body, jsonBytes: json.length, allowNan: false, binaryByDefault: false });
    const posted = structuredClone(task, { transfer: [task.buffer] });
    const attached = attachV2Json(posted, CONTEXT);
    const direct = decodeInferBody(body, { ...CONTEXT, headerLength: json.length, allowNan: false });
    const plain = ({ request }: typeof direct) => ({
      ...request,
      parameters: { ...request.parameters },
      inputs: request.inputs.map((input) => ({ ...input, data: [...input.data] })),
    });
    expect(plain(attached)).toEqual(plain(direct));
    for (const name of ['y', 'z']) expect(wantsBinary(attached.format, name)).toBe(wantsBinary(direct.format, name));
  });

  it('aligns every tensor and shares one buffer', () => {
    const { request } = attachV2Json(
      decodeV2Json({ body, jsonBytes: json.length, allowNan: false, binaryByDefault: false }),
      CONTEXT,
    );
    expect(new Set(request.inputs.map(({ data }) => data.buffer)).size).toBe(1);
    for (const { data } of request.inputs) expect(data.byteOffset % 8).toBe(0);
  });

  it('refuses what decoding at once refuses', () => {
    expect(() =>
      decodeV2Json({ body: Buffer.from('{'), jsonBytes: 1, allowNan: false, binaryByDefault: false }),
    ).toThrow(/JSON at byte 1/);
  });
});
