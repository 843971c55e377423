import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type GrpcFixture,
  INFERENCE,
  inferMessage,
  methodOf,
  startGrpcFixture,
} from '../../../../test/support/grpc-server.js';
import { RawGrpc } from '../../../../test/support/raw-grpc.js';
import { ERRORS, GRPC_CODE_NUMBERS, REASONS, ServingError } from '../../../core/index.js';

let fixture: GrpcFixture;
beforeEach(async () => {
  fixture = await startGrpcFixture({ maxInputBytes: 1 << 20 });
});
afterEach(() => fixture.stop());

const INFER = methodOf(INFERENCE, 'ModelInfer');
const code = (name: keyof typeof GRPC_CODE_NUMBERS) => GRPC_CODE_NUMBERS[name];

describe('ModelInfer', () => {
  it('hands the request to the data path and answers with its outputs, bit for bit', async () => {
    const data = Buffer.from(Float32Array.of(Number.NaN, Number.NEGATIVE_INFINITY).buffer);
    const answer = await fixture.client.unary(
      'ModelInfer',
      inferMessage({ model_version: '3', raw_input_contents: [data] }),
    );
    expect(answer).toMatchObject({ model_name: 'm', model_version: '3', id: '7' });
    expect(answer.outputs).toMatchObject([{ name: 'out_x', datatype: 'FP32', shape: [1, 2] }]);
    expect(answer.raw_output_contents[0].equals(data)).toBe(true);
    expect(fixture.inference.requests[0]).toMatchObject({
      model: 'm',
      version: 3,
      id: '7',
      deadlineNs: Number.POSITIVE_INFINITY,
    });
  });

  it('takes a message of a megabyte less its frame', async () => {
    const data = Buffer.alloc((1 << 20) - 256, 7);
    const inputs = [{ name: 'x', datatype: 'UINT8', shape: [data.length] }];
    const answer = await fixture.client.unary('ModelInfer', inferMessage({ inputs, raw_input_contents: [data] }));
    expect(answer.raw_output_contents[0].equals(data)).toBe(true);
  });

  it('turns the deadline of the call into one of the request', async () => {
    const before = Number(process.hrtime.bigint());
    await fixture.client.unary('ModelInfer', inferMessage(), { deadlineMs: 60_000 });
    const aheadMs = ((fixture.inference.requests[0]?.deadlineNs ?? 0) - before) / 1e6;
    expect(aheadMs).toBeGreaterThan(55_000);
    expect(aheadMs).toBeLessThan(61_000);
  });

  it.each(REASONS)('answers %s with its code, its message and its reason', async (reason) => {
    fixture.inference.failure = new ServingError(reason, `was wird, "100 %" – ${reason}`);
    const error = await fixture.client.unary('ModelInfer', inferMessage()).catch((e) => e);
    expect(error).toMatchObject({
      code: GRPC_CODE_NUMBERS[ERRORS[reason].grpc],
      details: `was wird, "100 %" – ${reason}`,
    });
    expect(error.metadata.get('x-penstock-reason')).toEqual([reason]);
    expect(error.metadata.get('grpc-retry-pushback-ms')).toEqual(ERRORS[reason].retry === 'backoff' ? ['1000'] : []);
    fixture.inference.failure = undefined;
    await expect(fixture.client.unary('ModelInfer', inferMessage())).resolves.toMatchObject({ id: '7' });
  });

  it('keeps the call alive whatever text an error has', async () => {
    for (const message of ['half \ud800 a pair', 'line\nbreak\0', 'x'.repeat(100_000), '']) {
      fixture.inference.failure = new ServingError('MALFORMED_REQUEST', message);
      const error = await fixture.client.unary('ModelInfer', inferMessage()).catch((e) => e);
      expect(error.code).toBe(status.INVALID_ARGUMENT);
      expect(error.details.slice(0, 5)).toBe(message.replace('\ud800', '\ufffd').slice(0, 5));
    }
  });

  it('logs our own failures with their cause and no other', async () => {
    fixture.inference.failure = new ServingError('BACKEND_FAILED', 'the model failed', { cause: new Error('inside') });
    await fixture.client.unary('ModelInfer', inferMessage()).catch(() => {});
    fixture.inference.failure = new ServingError('QUEUE_FULL', 'full');
    await fixture.client.unary('ModelInfer', inferMessage()).catch(() => {});
    expect(fixture.log.lines.map(({ level, fields }) => [level, fields.reason])).toEqual([['error', 'BACKEND_FAILED']]);
  });
});

describe('a client that goes away', () => {
  it('frees its place by cancelling', async () => {
    fixture.inference.hold = true;
    let cancel = () => {};
    const call = fixture.client.unary('ModelInfer', inferMessage(), { onCall: (c) => (cancel = () => c.cancel()) });
    await fixture.inference.when(() => fixture.inference.held.length === 1);
    cancel();
    await expect(call).rejects.toMatchObject({ code: status.CANCELLED });
    await fixture.inference.when(() => fixture.inference.cancelled === 1);
  });

  it('frees its place by closing its connection', async () => {
    fixture.inference.hold = true;
    const raw = new RawGrpc(fixture.server.port);
    void raw.call(INFER.path, INFER.requestSerialize(inferMessage()));
    await fixture.inference.when(() => fixture.inference.held.length === 1);
    raw.destroy();
    await fixture.inference.when(() => fixture.inference.cancelled === 1);
  });

  it('frees its place when its deadline passes', async () => {
    fixture.inference.hold = true;
    const call = fixture.client.unary('ModelInfer', inferMessage(), { deadlineMs: 50 });
    await expect(call).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await fixture.inference.when(() => fixture.inference.cancelled === 1);
  });
});

describe('bad input', () => {
  const good = () => expect(fixture.client.unary('ModelInfer', inferMessage())).resolves.toMatchObject({ id: '7' });

  it.each([
    ['a tag without a value', Buffer.from([0x0a])],
    ['a length past the end', Buffer.from([0x0a, 0x7f, 0x41])],
    ['random bytes', Buffer.from('ffffffffffffffffffffffff', 'hex')],
    ['a string that is not UTF-8', Buffer.from([0x0a, 0x01, 0xff])],
  ])('%s is INVALID_ARGUMENT and never reaches the data path', async (_, bytes) => {
    const call = fixture.client.unary('ModelInfer', {}, { bytes });
    await expect(call).rejects.toMatchObject({
      code: code('INVALID_ARGUMENT'),
      details: expect.stringMatching(/protocol buffer/),
    });
    expect(fixture.inference.requests).toEqual([]);
    await good();
  });

  it('a message past the limit is RESOURCE_EXHAUSTED', async () => {
    const call = fixture.client.unary('ModelInfer', {}, { bytes: Buffer.alloc((1 << 20) + 1) });
    await expect(call).rejects.toMatchObject({ code: code('RESOURCE_EXHAUSTED') });
    await good();
  });

  it('a message that inflates past the limit is RESOURCE_EXHAUSTED', async () => {
    const raw = new RawGrpc(fixture.server.port);
    const answer = await raw.call(INFER.path, gzipSync(Buffer.alloc(64 << 20)), {
      compressed: true,
      headers: { 'grpc-encoding': 'gzip' },
    });
    raw.destroy();
    expect(answer.status).toBe(code('RESOURCE_EXHAUSTED'));
    await good();
  });

  it('a compressed message is read, a broken one is INVALID_ARGUMENT', async () => {
    const raw = new RawGrpc(fixture.server.port);
    const bytes = gzipSync(INFER.requestSerialize(inferMessage()));
    const headers = { 'grpc-encoding': 'gzip' };
    const read = await raw.call(INFER.path, bytes, { compressed: true, headers });
    const broken = await raw.call(INFER.path, Buffer.from('not gzip'), { compressed: true, headers });
    const unknown = await raw.call(INFER.path, bytes, { compressed: true, headers: { 'grpc-encoding': 'br' } });
    raw.destroy();
    expect(read.status).toBe(0);
    expect([broken.status, broken.reason]).toEqual([code('INVALID_ARGUMENT'), 'MALFORMED_REQUEST']);
    expect(unknown.status).toBe(code('UNIMPLEMENTED'));
    await good();
  });

  it('a time-out that is none is INVALID_ARGUMENT', async () => {
    const raw = new RawGrpc(fixture.server.port);
    const answer = await raw.call(INFER.path, INFER.requestSerialize(inferMessage()), {
      headers: { 'grpc-timeout': 'soon' },
    });
    raw.destroy();
    expect([answer.status, answer.reason]).toEqual([code('INVALID_ARGUMENT'), 'MALFORMED_REQUEST']);
    await good();
  });

  it('a method that does not exist is UNIMPLEMENTED', async () => {
    const raw = new RawGrpc(fixture.server.port);
    const answer = await raw.call('/inference.GRPCInferenceService/Nothing', Buffer.alloc(0));
    raw.destroy();
    expect(answer.status).toBe(code('UNIMPLEMENTED'));
    await good();
  });
});

describe('bytes in flight', () => {
  it('are bounded over all calls, and given back', async () => {
    await fixture.stop();
    const bytes = INFER.requestSerialize(inferMessage()).length;
    fixture = await startGrpcFixture({ maxInFlightBytes: 2 * bytes });
    fixture.inference.hold = true;
    const waiting = [
      fixture.client.unary('ModelInfer', inferMessage()),
      fixture.client.unary('ModelInfer', inferMessage()),
    ];
    await fixture.inference.when(() => fixture.inference.held.length === 2);
    await expect(fixture.client.unary('ModelInfer', inferMessage())).rejects.toMatchObject({
      code: code('UNAVAILABLE'),
    });
    for (const call of [...fixture.inference.held]) call.answer();
    await Promise.all(waiting);
    fixture.inference.hold = false;
    for (let i = 0; i < 5; i++) await fixture.client.unary('ModelInfer', inferMessage());
    await expect(fixture.client.unary('ModelInfer', inferMessage({ id: '' }))).resolves.toMatchObject({ id: '' });
  });
});
