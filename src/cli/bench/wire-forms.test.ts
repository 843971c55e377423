import fc from 'fast-check';
import { Writer } from 'protobufjs/minimal.js';
import { describe, expect, it } from 'vitest';
import { decodeInferBody, decodeModelInfer, decodeStreamFrame } from '../../serving/codec/index.js';
import { readHttpAnswer } from './http-answer.js';
import { readModelMetadata } from './model-signature.js';
import { randomSource } from './random-source.js';
import { requestBytes } from './request-bytes.js';
import { parseShape, sampleInputs } from './sample-inputs.js';
import { clientFrame, readServerFrame } from './web-socket-frames.js';

describe('HTTP answers', () => {
  const body = 'x'.repeat(70);
  const plain = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const chunked = Buffer.from(
    'HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n',
  );
  const trailers = Buffer.from('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n');

  it.each([
    ['with a length', plain, 200],
    ['in chunks', chunked, 503],
    ['in chunks with trailers', trailers, 200],
  ])('are whole when their last byte is there: %s', (_, bytes, status) => {
    for (let length = 0; length < bytes.length; length++)
      expect(readHttpAnswer(bytes.subarray(0, length))).toBeUndefined();
    const answer = readHttpAnswer(Buffer.concat([bytes, Buffer.from('HTTP/1.1 2')]));
    expect(answer).toMatchObject({ status, totalBytes: bytes.length });
  });

  it('are told from what is none', () => {
    expect(() => readHttpAnswer(Buffer.from('SSH-2.0\r\n\r\n'))).toThrow(/no HTTP answer/);
  });
});

describe('WebSocket frames', () => {
  it('come back as they were sent, at every size of the length field', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 125, 126, 65535, 65536), (size) => {
        const payload = Buffer.alloc(size, 7);
        const sent = clientFrame(2, payload);
        const header = sent.length - size;
        // A server's frame has no masking key: the mask bit and the four bytes go.
        const unmasked = Buffer.concat([sent.subarray(0, header - 4), payload]);
        unmasked[1]! &= 0x7f;
        for (const length of [1, header - 5, unmasked.length - 1])
          expect(readServerFrame(unmasked.subarray(0, length))).toBeUndefined();
        expect(readServerFrame(unmasked)).toMatchObject({ opcode: 2, final: true, totalBytes: unmasked.length });
      }),
    );
  });
});

describe('requests', () => {
  const specs = [
    { name: 'ids', datatype: 'INT64', shape: [-1, -1] },
    { name: 'mask', datatype: 'INT64', shape: [-1, -1] },
    { name: 'x', datatype: 'FP32', shape: [-1, 4] },
  ];
  const shapes = new Map(['ids=1,3..9', 'mask=1,3..9'].map((word) => [parseShape(word).name, parseShape(word).axes]));
  const model = { name: 'm', version: undefined };
  const target = (protocol: 'http' | 'ws' | 'grpc') => ({ protocol, host: 'h', port: 1, path: '' });
  const context = {
    model: 'm',
    version: undefined,
    receivedNs: 0,
    nowNs: () => 0,
    deadlineNs: Number.POSITIVE_INFINITY,
  };
  const inputs = sampleInputs(specs, shapes, 'random', randomSource(4));
  const seen = (tensors: readonly { name: string; shape: readonly number[]; data: Uint8Array }[]) =>
    tensors.map(({ name, shape, data }) => ({ name, shape: [...shape], data: Buffer.from(data).toString('hex') }));

  it('are what the server reads back, over HTTP, WebSocket and gRPC', () => {
    for (const format of ['binary', 'json'] as const) {
      const http = requestBytes(target('http'), model, inputs, format);
      const end = http.indexOf('\r\n\r\n');
      const headerLength = /Header-Content-Length: (\d+)/.exec(http.toString('latin1', 0, end))?.[1];
      const options = {
        ...context,
        headerLength: headerLength === undefined ? undefined : Number(headerLength),
        allowNan: false,
      };
      const decoded = decodeInferBody(http.subarray(end + 4), options as Parameters<typeof decodeInferBody>[1]);
      expect(seen(decoded.request.inputs)).toEqual(seen(inputs));
      const frame = requestBytes(target('ws'), model, inputs, format);
      const payload = frame.subarray(frame.length < 126 + 6 ? 6 : 8);
      const options2 = { ...context, allowNan: false } as Parameters<typeof decodeStreamFrame>[2];
      expect(seen(decodeStreamFrame(payload, format === 'binary', options2).request.inputs)).toEqual(seen(inputs));
    }
    const message = requestBytes(target('grpc'), model, inputs, 'binary');
    const decoded = decodeModelInfer(message, context as unknown as Parameters<typeof decodeModelInfer>[1]);
    expect(seen(decoded.inputs)).toEqual(seen(inputs));
  });

  it('draw one size for the same range in one request, and others in the next', () => {
    const random = randomSource(5);
    const sizes = Array.from({ length: 40 }, () => {
      const [ids, mask] = sampleInputs(specs, shapes, 'zeros', random);
      expect(ids!.shape).toEqual(mask!.shape);
      return ids!.shape[1];
    });
    expect(new Set(sizes).size).toBeGreaterThan(3);
    expect(sizes.every((size) => size! >= 3 && size! <= 9)).toBe(true);
  });

  it.each(['x', 'x=', 'x=4..2', 'x=1,y'])('refuse the shape %s', (word) => {
    expect(() => parseShape(word)).toThrow(/--shape/);
  });

  it('refuse a shape for an input that is not there, or of another rank', () => {
    expect(() => sampleInputs(specs, new Map([['z', [[1, 1]]]]), 'zeros', randomSource(1))).toThrow(/no input 'z'/);
    expect(() => sampleInputs(specs, new Map([['x', [[1, 1]]]]), 'zeros', randomSource(1))).toThrow(/2 axes/);
  });
});

describe('model metadata over gRPC', () => {
  it('is read, packed or not, around fields that are not known', () => {
    const writer = Writer.create().uint32(10).string('m').uint32(18).string('1');
    writer
      .uint32(34)
      .fork()
      .uint32(10)
      .string('x')
      .uint32(18)
      .string('FP32')
      .uint32(26)
      .fork()
      .int64(-1)
      .int64(64)
      .ldelim()
      .ldelim();
    writer.uint32(42).fork().uint32(10).string('y').uint32(18).string('INT64').uint32(24).int64(-1).ldelim();
    expect(readModelMetadata(writer.finish())).toEqual({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 64] }],
      outputs: [{ name: 'y', datatype: 'INT64', shape: [-1] }],
    });
  });
});
