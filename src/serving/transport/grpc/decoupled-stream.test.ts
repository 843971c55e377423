import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type GrpcFixture,
  inferMessage,
  type Message,
  methodOf,
  startGrpcFixture,
} from '../../../../test/support/grpc-server.js';
import { ServingError, type Tensor } from '../../../core/index.js';

let fixture: GrpcFixture;
beforeEach(async () => {
  fixture = await startGrpcFixture({ maxStreamRequests: 64 });
  fixture.inference.hold = true;
});
afterEach(() => fixture.stop());

const STREAM = 'ModelStreamInfer';
const EMPTY_END = { parameters: { triton_enable_empty_final_response: { bool_param: true } } };
const value = (number: number, bytes = 4): Tensor[] => {
  const data = new Uint8Array(bytes);
  new DataView(data.buffer).setFloat32(0, number, true);
  return [{ name: 'y', dataType: 'FP32', shape: [bytes / 4], data }];
};
const seen = (messages: readonly Message[]) =>
  messages.map(({ error_message, infer_response }) => {
    const raw: Buffer | undefined = infer_response?.raw_output_contents?.[0];
    const final = infer_response?.parameters?.triton_final_response?.bool_param;
    return [infer_response?.id, error_message === '' ? raw?.readFloatLE(0) : error_message, final];
  });
const held = (id: string) => fixture.inference.held.find(({ request }) => request.id === id);
const asked = (count: number) => fixture.inference.when(() => fixture.inference.held.length === count);

describe('ModelStreamInfer of a decoupled model', () => {
  it('sends the responses of a request as they come, in their order, beside those of others', async () => {
    const stream = fixture.client
      .bidi(STREAM)
      .send(inferMessage({ id: 'a', ...EMPTY_END }), inferMessage({ id: 'b', ...EMPTY_END }))
      .half();
    await asked(2);
    const [a, b] = [held('a'), held('b')];
    b?.part(value(1));
    a?.part(value(2));
    b?.part(value(3));
    b?.end();
    a?.end(value(4));
    expect(await stream.ended).toBeUndefined();
    expect(seen(stream.messages)).toEqual([
      ['b', 1, false],
      ['a', 2, false],
      ['b', 3, false],
      ['b', undefined, true],
      ['a', 4, true],
    ]);
    expect(stream.messages[3]?.infer_response).toMatchObject({ model_name: 'm', model_version: '1', outputs: [] });
  });

  it('does not tell of the end without outputs unless it is asked to', async () => {
    const stream = fixture.client
      .bidi(STREAM)
      .send(inferMessage({ id: 'a' }), inferMessage({ id: 'none' }))
      .half();
    await asked(2);
    held('a')?.part(value(1));
    held('none')?.end();
    held('a')?.end();
    expect(await stream.ended).toBeUndefined();
    expect(seen(stream.messages)).toEqual([['a', 1, false]]);
  });

  it('keeps the order of requests with one answer, past which the others go', async () => {
    const stream = fixture.client
      .bidi(STREAM)
      .send(...['1', 'many', '2'].map((id) => inferMessage({ id })))
      .half();
    await asked(3);
    held('2')?.answer(value(2));
    held('many')?.part(value(7));
    await stream.count(1);
    held('1')?.answer(value(1));
    await stream.count(3);
    held('many')?.end(value(8));
    expect(await stream.ended).toBeUndefined();
    expect(seen(stream.messages).map(([id]) => id)).toEqual(['many', '1', '2', 'many']);
  });

  it('answers an error after responses with the id, and goes on', async () => {
    const stream = fixture.client
      .bidi(STREAM)
      .send(inferMessage({ id: 'a' }), inferMessage({ id: 'b' }))
      .half();
    await asked(2);
    held('a')?.part(value(1));
    held('a')?.fail(new ServingError('BACKEND_FAILED', 'it broke'));
    held('b')?.part(value(2));
    held('b')?.end();
    expect(await stream.ended).toBeUndefined();
    expect(seen(stream.messages).map(([id, told]) => [id, told])).toEqual([
      ['a', 1],
      ['a', 'it broke'],
      ['b', 2],
    ]);
  });

  it('ends with the status of an error where the client asks for that, and cancels the rest', async () => {
    const stream = fixture.client
      .bidi(STREAM, { metadata: { triton_grpc_error: 'true' } })
      .send(inferMessage({ id: 'a' }), inferMessage({ id: 'b' }));
    await asked(2);
    held('b')?.part(value(2));
    held('a')?.part(value(1));
    await stream.count(2);
    held('a')?.fail(new ServingError('BACKEND_FAILED', 'it broke'));
    expect(await stream.ended).toMatchObject({ code: status.INTERNAL, details: 'it broke' });
    expect(stream.messages).toHaveLength(2);
    await fixture.inference.when(() => fixture.inference.cancelled === 1);
  });

  it('tells who computes when a response has left: not while the client reads nothing', async () => {
    const stream = fixture.client.bidi(STREAM).send(inferMessage({ id: 'a' }));
    await asked(1);
    let taken = 0;
    let wake = () => {};
    const large = value(1, 1 << 20);
    held('a')?.part(large, () => {
      taken++;
      wake();
    });
    await stream.count(1);
    stream.call.pause();
    for (let i = 0; i < 60; i++)
      held('a')?.part(large, () => {
        taken++;
        wake();
      });
    // What its connection takes by itself is far less than 60 MiB.
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toBeLessThan(40);
    const all = new Promise<void>((resolve) => {
      wake = () => taken === 61 && resolve();
    });
    stream.call.resume();
    await all;
    held('a')?.end();
    stream.half();
    expect(await stream.ended).toBeUndefined();
    expect(stream.messages).toHaveLength(61);
  });

  it('cancels what has responses too when the client goes away, and sends nothing more', async () => {
    const stream = fixture.client.bidi(STREAM).send(inferMessage({ id: 'a' }));
    await asked(1);
    const call = held('a');
    call?.part(value(1));
    await stream.count(1);
    stream.call.cancel();
    await stream.ended;
    await fixture.inference.when(() => fixture.inference.cancelled === 1);
    call?.part(value(2));
    expect(stream.messages).toHaveLength(1);
  });

  it('keeps the order of compressed responses, however large', async () => {
    const stream = fixture.client
      .bidi(STREAM, { metadata: { 'grpc-encoding': 'gzip', 'grpc-accept-encoding': 'gzip' } })
      .send(inferMessage({ id: 'a', ...EMPTY_END }))
      .half();
    await asked(1);
    for (let i = 0; i < 20; i++) held('a')?.part(value(i, i % 3 === 0 ? 1 << 18 : 4));
    held('a')?.end();
    expect(await stream.ended).toBeUndefined();
    expect(seen(stream.messages).map(([, told]) => told)).toEqual([
      ...Array.from({ length: 20 }, (_, i) => i),
      undefined,
    ]);
  });

  it('refuses a parameter that is no boolean, and names it', async () => {
    const wrong = { parameters: { triton_enable_empty_final_response: { string_param: 'yes' } } };
    const stream = fixture.client
      .bidi(STREAM)
      .send(inferMessage({ id: 'a', ...wrong }))
      .half();
    expect(await stream.ended).toBeUndefined();
    expect(seen(stream.messages)[0]?.slice(0, 2)).toEqual([
      'a',
      'parameter "triton_enable_empty_final_response" must be a boolean, came "yes"',
    ]);
  });

  it('gives back all that it counted', async () => {
    const stream = fixture.client
      .bidi(STREAM)
      .send(inferMessage({ id: 'a' }), inferMessage({ id: 'b' }))
      .half();
    await asked(2);
    held('a')?.part(value(1));
    held('a')?.end();
    held('b')?.fail(new ServingError('BACKEND_FAILED', 'it broke'));
    expect(await stream.ended).toBeUndefined();
    fixture.client.close();
    // `close` would wait for ever for a request that is still counted.
    await fixture.server.close();
  });
});

describe("ModelStreamInfer in MLServer's form", () => {
  it('answers with ModelInferResponse, and ends with the status of an error', async () => {
    await fixture.stop();
    fixture = await startGrpcFixture({ streamForm: 'mlserver' });
    fixture.inference.hold = true;
    const { requestSerialize } = methodOf('inference.GRPCInferenceService', STREAM);
    const { path } = methodOf('inference.GRPCInferenceService', STREAM);
    const { responseDeserialize } = methodOf('inference.GRPCInferenceService', 'ModelInfer');
    const call = fixture.client.channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    const messages: Message[] = [];
    call.on('data', (message: Message) => messages.push(message));
    const ended = new Promise<Error>((resolve) => call.on('error', resolve));
    call.write(inferMessage({ id: 'a' }));
    call.write(inferMessage({ id: 'b' }));
    await asked(2);
    held('a')?.part(value(5));
    held('a')?.end(value(6));
    held('b')?.fail(new ServingError('BACKEND_FAILED', 'it broke'));
    expect(await ended).toMatchObject({ code: status.INTERNAL, details: 'it broke' });
    expect(messages.map(({ id, raw_output_contents }) => [id, raw_output_contents[0].readFloatLE(0)])).toEqual([
      ['a', 5],
      ['a', 6],
    ]);
  });
});
