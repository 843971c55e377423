import { describe, expect, it } from 'vitest';
import { CONTEXT, responseOf } from '../../../../test/support/inference-samples.js';
import { ServingError, type Tensor } from '../../../core/index.js';
import { decodeStreamFrame, encodeStreamError, encodeStreamReply, streamFrameId } from './stream-frame.js';

const OPTIONS = { ...CONTEXT, allowNan: false };

function binaryFrame(body: unknown, tail: Uint8Array): Buffer {
  const json = Buffer.from(JSON.stringify(body));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, tail]);
}

const output: Tensor = { name: 'y', dataType: 'UINT8', shape: [2], data: Uint8Array.of(3, 4) };

describe('WebSocket frames', () => {
  it('answer a text frame with a text frame', () => {
    const text = '{"model_name":"m","id":"1","inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":[9]}]}';
    const { request, format } = decodeStreamFrame(Buffer.from(text), false, OPTIONS);
    expect(request).toMatchObject({ model: 'm', id: '1' });
    const reply = encodeStreamReply(responseOf([output], { id: '1' }), format, OPTIONS);
    expect(reply.binary).toBe(false);
    expect(JSON.parse(reply.data.toString())).toMatchObject({ id: '1', outputs: [{ data: [3, 4] }] });
  });

  it('answer a binary frame with a binary frame that has the same layout', () => {
    const frame = binaryFrame(
      { inputs: [{ name: 'x', shape: [2], datatype: 'UINT8', parameters: { binary_data_size: 2 } }] },
      Uint8Array.of(1, 2),
    );
    const { request, format } = decodeStreamFrame(frame, true, OPTIONS);
    expect([...(request.inputs[0]?.data ?? [])]).toEqual([1, 2]);
    const reply = encodeStreamReply(responseOf([output]), format, OPTIONS);
    expect(reply.binary).toBe(true);
    const end = 4 + reply.data.readUInt32LE(0);
    expect(JSON.parse(reply.data.toString('utf8', 4, end))).toMatchObject({
      outputs: [{ parameters: { binary_data_size: 2 } }],
    });
    expect([...reply.data.subarray(end)]).toEqual([3, 4]);
  });

  it('follow what a frame says of its outputs', () => {
    const frame = binaryFrame({ inputs: [], parameters: { binary_data_output: false } }, Buffer.alloc(0));
    const { format } = decodeStreamFrame(frame, true, OPTIONS);
    expect(encodeStreamReply(responseOf([output]), format, OPTIONS).binary).toBe(false);
  });

  it('refuse another model than the path has', () => {
    const frame = Buffer.from('{"model_name":"other","inputs":[]}');
    expect(() => decodeStreamFrame(frame, false, OPTIONS)).toThrow(
      'this connection is for model "m", the frame asks for "other"',
    );
  });

  it.each([0, 3])('refuse a binary frame of %s bytes', (length) => {
    expect(() => decodeStreamFrame(Buffer.alloc(length), true, OPTIONS)).toThrow(/starts with the length of its JSON/);
  });

  it('refuse a JSON length past the frame', () => {
    expect(() => decodeStreamFrame(Buffer.alloc(8, 0xff), true, OPTIONS)).toThrow(
      /declared 4294967295 bytes long, the body has 4/,
    );
  });

  it.each([
    ['{"id":"7","inputs":[{"name":"x","shape":[-1]}]}', '7'],
    ['{"inputs":[{"name":"x"}],"id":"8"}', '8'],
    ['{"inputs":[1,2', ''],
    ['{"id":7}', ''],
    ['[]', ''],
    ['', ''],
  ])('tell the id of a request that cannot be decoded: %s', (text, id) => {
    expect(streamFrameId(Buffer.from(text), false)).toBe(id);
    const frame = Buffer.from(`....${text}`);
    frame.writeUInt32LE(text.length);
    expect(streamFrameId(frame, true)).toBe(id);
    expect(streamFrameId(frame.subarray(0, 3), true)).toBe('');
  });

  it('carry errors as text with the id of the request', () => {
    const { data, binary } = encodeStreamError(new ServingError('QUEUE_FULL', 'full'), 'r');
    expect(binary).toBe(false);
    expect(JSON.parse(data.toString())).toEqual({
      error: 'full',
      id: 'r',
      reason: 'QUEUE_FULL',
      status: 503,
      retry_after_ms: 1000,
    });
    const never = encodeStreamError(new ServingError('SHAPE_MISMATCH', 'wrong'), 'r').data.toString();
    expect(JSON.parse(never)).not.toHaveProperty('retry_after_ms');
    expect(
      JSON.parse(encodeStreamError(new ServingError('QUEUE_FULL', 'full'), '').data.toString()),
    ).not.toHaveProperty('id');
  });
});
