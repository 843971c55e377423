import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { PenstockClient, type PenstockError, type StreamOptions } from './index.js';

let server: WebSocketServer;

afterEach(() => {
  for (const socket of server.clients) socket.terminate();
  server.close();
});

/** A server that hands frames to `take`, with the number of their connection from 1; resolves to a client of it. */
async function serve(take: (id: string, socket: WebSocket, connection: number) => void): Promise<PenstockClient> {
  let connections = 0;
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    const connection = ++connections;
    socket.on('message', (frame: Buffer) => {
      const { id } = JSON.parse(frame.toString('utf8', 4, 4 + frame.readUInt32LE(0))) as { id: string };
      take(id, socket, connection);
    });
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return new PenstockClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
}

const answer = (socket: WebSocket, id: string) =>
  socket.send(JSON.stringify({ model_name: 'm', model_version: '1', id, outputs: [] }));
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: PenstockError) => error,
  );
const SOON: StreamOptions = { maxInFlight: 1, reconnect: { attempts: 3, firstPauseMs: 1, maxPauseMs: 2 } };

describe('a stream whose connection breaks', () => {
  it('loses what was sent and sends it no second time; what waited goes over the next connection', async () => {
    const got: string[] = [];
    const client = await serve((id, socket, connection) => {
      got.push(`${id}@${connection}`);
      if (connection === 1) socket.terminate();
      else answer(socket, id);
    });
    const stream = client.openStream('m', SOON);
    const first = failure(stream.infer({}, { id: 'a' }));
    const second = stream.infer({}, { id: 'b' });
    expect((await first).reason).toBe('UNREACHABLE');
    expect((await second).id).toBe('b');
    expect(got).toEqual(['a@1', 'b@2']);
    await stream.close();
  });

  it('ends with it where it may not reconnect', async () => {
    const client = await serve((_id, socket) => socket.terminate());
    const stream = client.openStream('m', { maxInFlight: 1 });
    const both = await Promise.all([failure(stream.infer({})), failure(stream.infer({}))]);
    expect(both.map(({ reason }) => reason)).toEqual(['UNREACHABLE', 'UNREACHABLE']);
    expect((await failure(stream.infer({}))).reason).toBe('UNREACHABLE');
  });

  it('gives up after so many tries', async () => {
    const client = await serve(() => {});
    const stream = client.openStream('m', SOON);
    const asked = failure(stream.infer({}));
    server.close();
    for (const socket of server.clients) socket.terminate();
    expect((await asked).reason).toBe('UNREACHABLE');
    const later = await failure(stream.infer({}));
    expect(later.reason).toBe('UNREACHABLE');
  });
});

describe('a stream', () => {
  it('answers what it took before it closes', async () => {
    const waiting: (() => void)[] = [];
    const client = await serve((id, socket) => waiting.push(() => answer(socket, id)));
    const stream = client.openStream('m');
    const asked = [stream.infer({}), stream.infer({})];
    const closed = stream.close();
    expect((await failure(stream.infer({}))).reason).toBe('ABORTED');
    while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
    for (const send of waiting.reverse()) send();
    expect((await Promise.all(asked)).map(({ model }) => model)).toEqual(['m', 'm']);
    await closed;
  });

  it('keeps the place of a request that nobody waits for until it is answered', async () => {
    let late: (() => void) | undefined;
    const client = await serve((id, socket) => {
      if (id === 'slow') late = () => answer(socket, id);
      else answer(socket, id);
    });
    const stream = client.openStream('m', { maxInFlight: 1 });
    expect((await failure(stream.infer({}, { id: 'slow', timeoutMs: 300 }))).reason).toBe('TIMEOUT');
    const next = stream.infer({}, { id: 'next' });
    expect(stream.inFlight).toBe(1);
    late?.();
    expect((await next).id).toBe('next');
    await stream.close();
  });

  it.each([
    ['no JSON', 'hello'],
    ['an error of no request', '{"error":"what?"}'],
    ['a short binary frame', Buffer.from([1, 2])],
  ])('ends at %s, and everything with it', async (_what, frame) => {
    const client = await serve((_id, socket) => socket.send(frame));
    const stream = client.openStream('m');
    const [one, two] = await Promise.all([failure(stream.infer({})), failure(stream.infer({}))]);
    expect(one.message).toBe(two.message);
    expect((await failure(stream.infer({}))).message).toBe(one.message);
  });

  it('refuses more waiting requests than it may have', async () => {
    const client = await serve(() => {});
    const stream = client.openStream('m', { maxInFlight: 1, maxWaiting: 2 });
    const asked = Array.from({ length: 3 }, () => failure(stream.infer({})));
    expect((await Promise.race(asked)).reason).toBe('TOO_MANY_WAITING');
    stream.abort();
    expect((await Promise.all(asked)).map(({ reason }) => reason)).toEqual(['ABORTED', 'ABORTED', 'TOO_MANY_WAITING']);
  });
});
