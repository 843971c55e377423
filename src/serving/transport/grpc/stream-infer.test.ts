import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GrpcFixture, inferMessage, startGrpcFixture } from '../../../../test/support/grpc-server.js';
import { ServingError } from '../../../core/index.js';

let fixture: GrpcFixture;
beforeEach(async () => {
  fixture = await startGrpcFixture({ maxStreamRequests: 4 });
});
afterEach(() => fixture.stop());

const STREAM = 'ModelStreamInfer';
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => inferMessage({ id: String(from + i) }));
const ids = (messages: readonly Record<string, { id: string }>[]) => messages.map((m) => m.infer_response?.id);

describe('ModelStreamInfer', () => {
  it('answers many requests on one stream, in their order, and ends after a half-close', async () => {
    const stream = fixture.client
      .bidi(STREAM)
      .send(...numbered(1, 40))
      .half();
    expect(await stream.ended).toBeUndefined();
    expect(ids(stream.messages)).toEqual(numbered(1, 40).map(({ id }) => id));
    expect(stream.messages[0]).toMatchObject({
      error_message: '',
      infer_response: {
        model_name: 'm',
        parameters: { triton_final_response: { bool_param: true } },
        outputs: [{ name: 'out_x' }],
      },
    });
  });

  it('keeps the order of the requests where they finish in another', async () => {
    fixture.inference.hold = true;
    const stream = fixture.client
      .bidi(STREAM)
      .send(...numbered(1, 3))
      .half();
    await fixture.inference.when(() => fixture.inference.held.length === 3);
    for (const id of ['3', '2', '1']) fixture.inference.held.find((call) => call.request.id === id)?.answer();
    expect(await stream.ended).toBeUndefined();
    expect(ids(stream.messages)).toEqual(['1', '2', '3']);
  });

  it('sends each answer as soon as those before it are there', async () => {
    fixture.inference.hold = true;
    const stream = fixture.client.bidi(STREAM).send(...numbered(1, 2));
    await fixture.inference.when(() => fixture.inference.held.length === 2);
    fixture.inference.held[0]?.answer();
    await stream.count(1);
    expect(ids(stream.messages)).toEqual(['1']);
    fixture.inference.held[0]?.answer();
    await stream.count(2);
    stream.half();
    expect(await stream.ended).toBeUndefined();
  });

  it('has at most the configured number in flight, and goes on when some are answered', async () => {
    fixture.inference.hold = true;
    const stream = fixture.client
      .bidi(STREAM)
      .send(...numbered(1, 10))
      .half();
    let most = 0;
    for (let answered = 0; answered < 10; answered++) {
      await fixture.inference.when(() => fixture.inference.held.length === Math.min(4, 10 - answered));
      most = Math.max(most, fixture.inference.held.length);
      fixture.inference.held[0]?.answer();
    }
    expect(await stream.ended).toBeUndefined();
    expect(most).toBe(4);
    expect(stream.messages).toHaveLength(10);
  });

  it('answers an error in its place, with its id, and goes on', async () => {
    fixture.inference.hold = true;
    const stream = fixture.client
      .bidi(STREAM)
      .send(...numbered(1, 3))
      .half();
    await fixture.inference.when(() => fixture.inference.held.length === 3);
    const [first, second, third] = [...fixture.inference.held];
    second?.fail(new ServingError('SHAPE_MISMATCH', 'input "x": expected [2], came [3]'));
    third?.answer();
    first?.answer();
    expect(await stream.ended).toBeUndefined();
    expect(ids(stream.messages)).toEqual(['1', '2', '3']);
    expect(stream.messages.map((m) => m.error_message)).toEqual(['', 'input "x": expected [2], came [3]', '']);
  });

  it('answers a request that cannot be decoded with its id where that can be read', async () => {
    const wrong = inferMessage({ id: 'wrong', raw_input_contents: [Buffer.alloc(3)] });
    const stream = fixture.client
      .bidi(STREAM)
      .send(wrong, Buffer.from([0x0a, 0x7f]), inferMessage({ id: 'good' }))
      .half();
    expect(await stream.ended).toBeUndefined();
    expect(stream.messages.map((m) => [m.infer_response?.id ?? '', m.error_message !== ''])).toEqual([
      ['wrong', true],
      ['', true],
      ['good', false],
    ]);
  });

  it('ends with the status of the first error where the client asks for that, and cancels the rest', async () => {
    fixture.inference.hold = true;
    const stream = fixture.client.bidi(STREAM, { metadata: { triton_grpc_error: 'true' } }).send(...numbered(1, 3));
    await fixture.inference.when(() => fixture.inference.held.length === 3);
    const [first, second] = [...fixture.inference.held];
    first?.answer();
    second?.fail(new ServingError('QUEUE_FULL', 'the queue is full'));
    const error = await stream.ended;
    expect(error).toMatchObject({ code: status.UNAVAILABLE, details: 'the queue is full' });
    expect(error?.metadata.get('x-penstock-reason')).toEqual(['QUEUE_FULL']);
    expect(ids(stream.messages)).toEqual(['1']);
    await fixture.inference.when(() => fixture.inference.cancelled === 1);
  });

  it('cancels what is in flight when the client cancels the stream', async () => {
    fixture.inference.hold = true;
    const stream = fixture.client.bidi(STREAM).send(...numbered(1, 3));
    await fixture.inference.when(() => fixture.inference.held.length === 3);
    stream.call.cancel();
    expect(await stream.ended).toMatchObject({ code: status.CANCELLED });
    await fixture.inference.when(() => fixture.inference.cancelled === 3);
  });

  it('cancels what is in flight when the deadline of the stream passes', async () => {
    fixture.inference.hold = true;
    const stream = fixture.client.bidi(STREAM, { deadlineMs: 1000 }).send(...numbered(1, 2));
    expect(await stream.ended).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    await fixture.inference.when(() => fixture.inference.cancelled === 2);
  });

  it('carries large tensors both ways while many are in flight', async () => {
    const data = Buffer.alloc(3 << 20, 5);
    const large = { inputs: [{ name: 'x', datatype: 'UINT8', shape: [data.length] }], raw_input_contents: [data] };
    const channel = fixture.client.bidi(STREAM);
    const sent = Array.from({ length: 6 }, (_, i) => inferMessage({ ...large, id: String(i) }));
    channel.send(...sent).half();
    expect(await channel.ended).toBeUndefined();
    expect(ids(channel.messages)).toEqual(sent.map(({ id }) => id));
    expect(channel.messages.every((m) => m.infer_response.raw_output_contents[0].equals(data))).toBe(true);
  });

  it('gives back all that it counted', async () => {
    for (let i = 0; i < 3; i++) {
      const stream = fixture.client
        .bidi(STREAM)
        .send(...numbered(1, 5), inferMessage({ raw_input_contents: [] }))
        .half();
      expect(await stream.ended).toBeUndefined();
    }
    // `close` would wait for ever for a request that is still counted.
    fixture.client.close();
    await fixture.server.close();
  });
});
