import { connect, constants } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GrpcClient, INFERENCE, methodOf } from '../support/grpc-server.js';
import { callHeaders, type Flood, FRAME, http2Frame, RawHttp2, setting } from '../support/raw-http2.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const INFER = methodOf(INFERENCE, 'ModelInfer');
const HEADERS = callHeaders(INFER.path);
const END_HEADERS = 4;
const MB = 1e6;

let gateway: RunningGateway;
let client: GrpcClient;
beforeAll(async () => {
  gateway = await RunningGateway.start(repositoryOf({ same: 'identity_fp32' }), [
    ...['--grpc-keepalive-time', '1000', '--grpc-keepalive-timeout', '3000', '--grpc-answer-timeout-ms', '500'],
  ]);
  client = new GrpcClient(gateway.grpcPort);
});
afterAll(async () => {
  client?.close();
  expect(await gateway?.stop()).toBe(0);
});

const many = (count: number, frame: (k: number) => Buffer) =>
  Buffer.concat(Array.from({ length: count }, (_, k) => frame(k)));
/** The streams of a client, in order. */
const stream = (n: number) => 1 + 2 * n;
const open = http2Frame(FRAME.headers, END_HEADERS, 1, HEADERS);
const word = (value: number) => Buffer.from([0, 0, 0, value]);

/** Frames of one attack each; `closed`: the server must end the connection. */
const ATTACKS: readonly [string, 'closed' | 'ignored', Omit<Flood, 'maxBytes'>][] = [
  [
    'a header block that never ends',
    'closed',
    {
      first: http2Frame(FRAME.headers, 0, 1, HEADERS),
      next: () => http2Frame(FRAME.continuation, 0, 1, Buffer.alloc(8192)),
    },
  ],
  [
    'a header block that goes on in empty frames',
    'closed',
    {
      first: http2Frame(FRAME.headers, 0, 1, HEADERS),
      next: () => many(500, () => http2Frame(FRAME.continuation, 0, 1)),
    },
  ],
  [
    'settings by the thousand',
    'closed',
    { next: () => many(500, () => http2Frame(FRAME.settings, 0, 0, setting(4, 65_535))) },
  ],
  [
    'settings of a hundred entries',
    'closed',
    {
      next: () =>
        http2Frame(
          FRAME.settings,
          0,
          0,
          many(100, () => setting(4, 65_535)),
        ),
    },
  ],
  ['pings by the thousand', 'closed', { next: () => many(500, () => http2Frame(FRAME.ping, 0, 0, Buffer.alloc(8))) }],
  [
    'answers to pings that nobody sent',
    'closed',
    { next: () => many(500, () => http2Frame(FRAME.ping, 1, 0, Buffer.alloc(8))) },
  ],
  [
    'calls that are reset at once',
    'closed',
    {
      next: (n) =>
        many(100, (k) => {
          const id = stream(100 * n + k);
          return Buffer.concat([
            http2Frame(FRAME.headers, END_HEADERS, id, HEADERS),
            http2Frame(FRAME.reset, 0, id, word(constants.NGHTTP2_CANCEL)),
          ]);
        }),
    },
  ],
  [
    'calls that make the server reset them',
    'closed',
    {
      next: (n) =>
        many(100, (k) => {
          const id = stream(100 * n + k);
          return Buffer.concat([
            http2Frame(FRAME.headers, END_HEADERS, id, HEADERS),
            http2Frame(FRAME.windowUpdate, 0, id, word(0)),
          ]);
        }),
    },
  ],
  ['empty DATA frames', 'closed', { first: open, next: () => many(500, () => http2Frame(FRAME.data, 0, 1)) }],
  [
    'a window past 2^31 - 1',
    'closed',
    { next: () => http2Frame(FRAME.windowUpdate, 0, 0, Buffer.from([127, 255, 255, 255])) },
  ],
  [
    'a window opened and shut under a thousand calls',
    'closed',
    {
      first: many(1000, (k) => http2Frame(FRAME.headers, END_HEADERS, stream(k), HEADERS)),
      next: () => many(100, (k) => http2Frame(FRAME.settings, 0, 0, setting(4, k % 2 === 0 ? 0 : MB))),
    },
  ],
  [
    'DATA frames of padding',
    'ignored',
    { first: open, next: () => many(500, () => http2Frame(FRAME.data, 8, 1, Buffer.alloc(1))) },
  ],
  [
    'a window opened byte by byte',
    'ignored',
    { first: open, next: () => many(500, () => http2Frame(FRAME.windowUpdate, 0, 0, word(1))) },
  ],
  [
    'priorities',
    'ignored',
    { next: (n) => many(500, (k) => http2Frame(FRAME.priority, 0, stream(500 * n + k), Buffer.alloc(5))) },
  ],
  ['frames of no known type', 'ignored', { next: () => http2Frame(0x77, 0, 0, Buffer.alloc(16_000)) }],
];

describe('a gRPC port under attack', () => {
  it.each(ATTACKS)('%s: %s, others are served, memory stays', async (_, end, flood) => {
    const beforeBytes = gateway.rssBytes();
    const attackers = [new RawHttp2(gateway.grpcPort), new RawHttp2(gateway.grpcPort)];
    const attack = Promise.all(attackers.map((attacker) => attacker.flood({ ...flood, maxBytes: 4 * MB })));
    await client.unary('ServerLive', {}, { deadlineMs: 5000 });
    await attack;
    await client.unary('ServerLive', {}, { deadlineMs: 5000 });
    if (end === 'closed') await Promise.all(attackers.map((attacker) => attacker.closed));
    for (const attacker of attackers) attacker.destroy();
    expect(gateway.rssBytes() - beforeBytes).toBeLessThan(64 * MB);
  });

  it('resets the calls of a client that reads no answer, and frees what they held', async () => {
    const elements = 20_000;
    const message = INFER.requestSerialize({
      model_name: 'same',
      inputs: [{ name: 'INPUT0', datatype: 'FP32', shape: [1, elements] }],
      raw_input_contents: [Buffer.alloc(4 * elements)],
    });
    const frame = Buffer.concat([Buffer.alloc(1), word(0), message]);
    frame.writeUInt32BE(message.byteLength, 1);
    const session = connect(`http://127.0.0.1:${gateway.grpcPort}`, {
      settings: { initialWindowSize: 0 },
      maxSessionMemory: 1000,
    });
    session.on('error', () => {});
    const codes = await Promise.all(
      Array.from({ length: 40 }, () => {
        const call = session.request({ ':method': 'POST', ':path': INFER.path, 'content-type': 'application/grpc' });
        call.on('error', () => {});
        call.end(frame);
        return new Promise<number | undefined>((resolve) => call.once('close', () => resolve(call.rstCode)));
      }),
    );
    expect(new Set(codes)).toEqual(new Set([constants.NGHTTP2_CANCEL]));
    session.destroy();
    await client.unary('ServerLive', {}, { deadlineMs: 5000 });
  });

  it('keeps no connection that it has ended, though the client stays', async () => {
    const connections = () => gateway.openFiles();
    const before = connections();
    const attackers = Array.from({ length: 5 }, () => new RawHttp2(gateway.grpcPort));
    const entries = many(100, () => setting(4, 65_535));
    await Promise.all(
      attackers.map((attacker) =>
        attacker.flood({ next: () => http2Frame(FRAME.settings, 0, 0, entries), maxBytes: MB }),
      ),
    );
    await eventually(() => connections() <= before, 'the connections are closed');
    for (const attacker of attackers) attacker.destroy();
  });
});
