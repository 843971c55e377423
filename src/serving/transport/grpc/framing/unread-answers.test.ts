import { connect, constants } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type GrpcFixture,
  INFERENCE,
  inferMessage,
  methodOf,
  startGrpcFixture,
} from '../../../../../test/support/grpc-server.js';
import { frameOf } from './frame.js';

const INFER = methodOf(INFERENCE, 'ModelInfer');
const STREAM = methodOf(INFERENCE, 'ModelStreamInfer');

let fixture: GrpcFixture;
afterEach(() => fixture.stop());

function message(bytes: number): object {
  return inferMessage({
    inputs: [{ name: 'x', datatype: 'UINT8', shape: [bytes] }],
    raw_input_contents: [Buffer.alloc(bytes, 3)],
  });
}

/** A call of a client whose window stays shut; resolves to the code its stream was reset with. */
function unread(path: string, bytes: number, answered: () => void): Promise<number | undefined> {
  const session = connect(`http://127.0.0.1:${fixture.server.port}`, { settings: { initialWindowSize: 0 } });
  session.on('error', () => {});
  const call = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
  call.on('error', () => {});
  call.once('response', answered);
  call.end(frameOf(INFER.requestSerialize(message(bytes))));
  return new Promise((resolve) => {
    call.once('close', () => {
      session.destroy();
      resolve(call.rstCode);
    });
  });
}

describe('an answer that its client does not read', () => {
  it.each([
    ['unary', INFER.path],
    ['of a stream', STREAM.path],
  ])('is reset after a time: %s', async (_, path) => {
    fixture = await startGrpcFixture({ answerTimeoutMs: 20 });
    expect(await unread(path, 100_000, () => {})).toBe(constants.NGHTTP2_CANCEL);
  });

  it('counts as bytes in flight until then', async () => {
    fixture = await startGrpcFixture({ answerTimeoutMs: 3000, maxInFlightBytes: 150_000 });
    let reset: Promise<unknown> | undefined;
    await new Promise<void>((resolve) => {
      reset = unread(INFER.path, 100_000, resolve);
    });
    await expect(fixture.client.unary('ModelInfer', message(60_000))).rejects.toMatchObject({
      details: expect.stringMatching(/150000 bytes/),
    });
    expect(await reset).toBe(constants.NGHTTP2_CANCEL);
    expect(await fixture.client.unary('ModelInfer', message(60_000))).toMatchObject({ id: '7' });
  });

  it('leaves those alone that are read', async () => {
    fixture = await startGrpcFixture({ answerTimeoutMs: 1, maxInFlightBytes: 700_000 });
    for (let i = 0; i < 20; i++)
      expect(await fixture.client.unary('ModelInfer', message(300_000))).toMatchObject({ id: '7' });
  });
});
