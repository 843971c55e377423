import type { ClientHttp2Stream } from 'node:http2';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type GrpcFixture,
  INFERENCE,
  inferMessage,
  methodOf,
  startGrpcFixture,
} from '../../../../../test/support/grpc-server.js';
import { RawGrpc } from '../../../../../test/support/raw-grpc.js';
import type { Reason } from '../../../../core/index.js';
import { frameOf } from './frame.js';

const INFER = methodOf(INFERENCE, 'ModelInfer');
const STREAM = methodOf(INFERENCE, 'ModelStreamInfer');
const BYTES = INFER.requestSerialize(inferMessage());

interface Outcome {
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly bytes: Buffer;
  readonly code: number | undefined;
}

let fixture: GrpcFixture;
let raw: RawGrpc;
const refused: Reason[] = [];
beforeEach(async () => {
  refused.length = 0;
  fixture = await startGrpcFixture({
    maxInputBytes: 1 << 20,
    maxStreamRequests: 4,
    onRefused: (reason) => refused.push(reason),
  });
  raw = new RawGrpc(fixture.server.port);
});
afterEach(async () => {
  raw.destroy();
  await fixture.stop();
});

/** A call without `te`, which some clients leave out, and all that came back on it. */
function open(headers: Record<string, string> = {}): { stream: ClientHttp2Stream; outcome: Promise<Outcome> } {
  const stream = raw.session.request({
    ':method': 'POST',
    ':path': INFER.path,
    'content-type': 'application/grpc',
    ...headers,
  });
  const outcome = new Promise<Outcome>((resolve) => {
    let head = {};
    let trailers = {};
    const chunks: Buffer[] = [];
    stream.on('response', (came) => (head = came));
    stream.on('trailers', (came) => (trailers = came));
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', () => {});
    stream.on('close', () => resolve({ headers: head, trailers, bytes: Buffer.concat(chunks), code: stream.rstCode }));
  });
  return { stream, outcome };
}

describe('a unary call', () => {
  it('is answered however its message is cut into DATA frames', async () => {
    const { stream, outcome } = open();
    for (const byte of frameOf(BYTES)) stream.write(Buffer.of(byte));
    stream.end();
    const { trailers, bytes } = await outcome;
    expect(trailers['grpc-status']).toBe('0');
    expect(INFER.responseDeserialize(bytes.subarray(5))).toMatchObject({ id: '7' });
    expect(bytes.readUInt32BE(1)).toBe(bytes.length - 5);
  });

  it('is answered with binary metadata, and without a half-close: the client is told to stop', async () => {
    const { stream, outcome } = open({ 'trace-bin': '//79', 'content-type': 'application/grpc+proto' });
    stream.write(frameOf(BYTES));
    const { trailers, code } = await outcome;
    expect([trailers['grpc-status'], code]).toEqual(['0', 0]);
  });

  it.each([
    ['two messages', Buffer.concat([frameOf(BYTES), frameOf(BYTES)]), '12', 'UNSUPPORTED'],
    ['no message', Buffer.alloc(0), '12', 'UNSUPPORTED'],
    ['half a message', frameOf(BYTES).subarray(0, 20), '3', 'MALFORMED_REQUEST'],
    ['half a head', Buffer.of(0, 0), '3', 'MALFORMED_REQUEST'],
    ['an unknown flag', Buffer.of(9, 0, 0, 0, 0), '3', 'MALFORMED_REQUEST'],
    ['a compressed message without an encoding', frameOf(gzipSync(BYTES), true), '13', 'INTERNAL'],
    ['a head that declares 4 GB', Buffer.of(0, 255, 255, 255, 255), '8', 'BODY_TOO_LARGE'],
  ])('with %s is refused, counted, and what it held is freed', async (_, body, status, reason) => {
    fixture.inference.hold = true;
    const { stream, outcome } = open();
    stream.end(body);
    const { headers, trailers } = await outcome;
    const end = { ...headers, ...trailers } as Record<string, unknown>;
    expect([end['grpc-status'], end['x-penstock-reason'], refused]).toEqual([status, reason, [reason]]);
    expect(fixture.inference.held).toEqual([]);
    expect(fixture.log.lines).toEqual([]);
  });

  it('ends at its deadline, and later ones than a timer holds are taken', async () => {
    fixture.inference.hold = true;
    const { stream, outcome } = open({ 'grpc-timeout': '30m' });
    stream.end(frameOf(BYTES));
    expect((await outcome).headers['grpc-status']).toBe('4');
    expect(fixture.inference.cancelled).toBe(1);
    fixture.inference.hold = false;
    for (const timeout of ['99999999H', '99999999M', '99999999S']) {
      const far = open({ 'grpc-timeout': timeout });
      far.stream.end(frameOf(BYTES));
      expect((await far.outcome).trailers['grpc-status']).toBe('0');
    }
  });

  it.each(['1', 'm', '-1S', '123456789S', '1 S', '1h'])('with the time-out %j is refused', async (timeout) => {
    const { stream, outcome } = open({ 'grpc-timeout': timeout });
    stream.end(frameOf(BYTES));
    expect((await outcome).headers['grpc-status']).toBe('3');
  });

  it.each([
    ['another content type', { 'content-type': 'application/json' }, 415],
    ['gRPC-Web', { 'content-type': 'application/grpc-web' }, 415],
    ['no POST', { ':method': 'PUT' }, 405],
  ])('with %s is refused as HTTP', async (_, headers, status) => {
    const { stream, outcome } = open(headers);
    stream.end(frameOf(BYTES));
    expect((await outcome).headers[':status']).toBe(status);
  });

  it('is refused with its metadata past the limit, and others go on', async () => {
    const { stream, outcome } = open({ large: 'x'.repeat(100_000) });
    stream.end(frameOf(BYTES));
    expect((await outcome).trailers['grpc-status']).toBeUndefined();
    expect(await fixture.client.unary('ModelInfer', inferMessage())).toMatchObject({ id: '7' });
  });
});

describe('compression', () => {
  const large = (bytes: number) =>
    INFER.requestSerialize(
      inferMessage({
        inputs: [{ name: 'x', datatype: 'UINT8', shape: [bytes] }],
        raw_input_contents: [Buffer.alloc(bytes, 3)],
      }),
    );

  it.each([2000, 500_000])(
    'of an answer is that of its request where the client accepts it: %d bytes',
    async (bytes) => {
      const message = large(bytes);
      for (const accepted of [true, false]) {
        const answer = open({
          'grpc-encoding': 'gzip',
          ...(accepted ? { 'grpc-accept-encoding': 'identity, gzip' } : {}),
        });
        answer.stream.end(frameOf(gzipSync(message), true));
        const came = await answer.outcome;
        expect(came.trailers['grpc-status']).toBe('0');
        expect([came.headers['grpc-encoding'], came.bytes[0]]).toEqual(accepted ? ['gzip', 1] : [undefined, 0]);
        if (accepted) expect(came.bytes.length).toBeLessThan(bytes / 4);
      }
    },
  );

  it.each([
    [undefined, {}],
    ['gzip', { 'grpc-accept-encoding': 'identity,gzip' }],
  ])(
    'of the messages of a stream keeps their order, whatever their size, answers in %s',
    async (encoding, accepted) => {
      const { stream, outcome } = open({ ':path': STREAM.path, 'grpc-encoding': 'gzip', ...accepted });
      const sizes = [900_000, 10, 300_000, 20, 900_001];
      for (const bytes of sizes) stream.write(frameOf(gzipSync(large(bytes)), true));
      stream.end();
      const { headers, trailers, bytes } = await outcome;
      expect([headers['grpc-encoding'], trailers['grpc-status']]).toEqual([encoding, '0']);
      const lengths: number[] = [];
      const flags: number[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = at + 5 + bytes.readUInt32BE(at + 1);
        const message = bytes.subarray(at + 5, end);
        flags.push(bytes[at] as number);
        const { infer_response: answer } = STREAM.responseDeserialize(bytes[at] === 1 ? gunzipSync(message) : message);
        lengths.push(answer.raw_output_contents[0].length);
        at = end;
      }
      expect(lengths).toEqual(sizes);
      // What is small is not worth it.
      expect(flags).toEqual(sizes.map((size) => (encoding !== undefined && size > 1000 ? 1 : 0)));
    },
  );
});

describe('a stream', () => {
  it('takes many messages of one DATA frame, never more at once than allowed', async () => {
    fixture.inference.hold = true;
    const { stream, outcome } = open({ ':path': STREAM.path });
    stream.end(Buffer.concat(Array.from({ length: 20 }, () => frameOf(BYTES))));
    for (let answered = 0; answered < 20; answered++) {
      await fixture.inference.when(() => fixture.inference.held.length === Math.min(4, 20 - answered));
      fixture.inference.held[0]?.answer();
    }
    expect((await outcome).trailers['grpc-status']).toBe('0');
  });

  it('stops taking messages from a client that does not read its answers', async () => {
    const data = Buffer.alloc(500_000);
    const inputs = [{ name: 'x', datatype: 'UINT8', shape: [data.length] }];
    const frame = frameOf(STREAM.requestSerialize(inferMessage({ inputs, raw_input_contents: [data] })));
    const stream = raw.session.request({ ':method': 'POST', ':path': STREAM.path, 'content-type': 'application/grpc' });
    stream.on('error', () => {});
    for (let i = 0; i < 20; i++) stream.write(frame);
    await fixture.inference.when(() => fixture.inference.requests.length === 4);
    // A call behind it on another connection: when it is answered, the server has had its chance to take more.
    for (let i = 0; i < 20; i++) await fixture.client.unary('ServerLive', {});
    expect(fixture.inference.requests.length).toBeLessThanOrEqual(6);
    stream.close();
  });
});
