import { constants, createServer, type ServerHttp2Session } from 'node:http2';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../../test/support/fake-clock.js';
import {
  type GrpcFixture,
  INFERENCE,
  inferMessage,
  methodOf,
  startGrpcFixture,
} from '../../../../../test/support/grpc-server.js';
import { RawGrpc } from '../../../../../test/support/raw-grpc.js';
import type { GrpcOptions } from '../grpc-options.js';
import { Connection } from './connection.js';
import { frameOf } from './frame.js';

const INFER = methodOf(INFERENCE, 'ModelInfer');
const BYTES = INFER.requestSerialize(inferMessage());
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const EMPTY_SETTINGS = Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0);

let fixture: GrpcFixture;
const start = async (options: Partial<GrpcOptions> = {}) => {
  fixture = await startGrpcFixture(options);
  return fixture.server.port;
};
afterEach(() => fixture?.stop());

const gone = (socket: Socket) =>
  new Promise<void>((resolve) => {
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.once('close', () => resolve());
  });

describe('a connection', () => {
  it('that says nothing is cut', async () => {
    const port = await start({ keepaliveTimeoutMs: 30 });
    await gone(connect(port, '127.0.0.1'));
  });

  it('that speaks another protocol is cut', async () => {
    const port = await start();
    const socket = connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(4));
    await gone(socket);
  });

  it('that does not answer a ping is cut, and one that does stays', async () => {
    const port = await start({ keepaliveTimeMs: 20, keepaliveTimeoutMs: 200 });
    const raw = new RawGrpc(port);
    let pings = 0;
    raw.session.on('ping', () => pings++);
    const socket = connect(port, '127.0.0.1');
    socket.write(PREFACE);
    socket.write(EMPTY_SETTINGS);
    await gone(socket);
    expect(pings).toBeGreaterThan(2);
    expect((await raw.call(INFER.path, BYTES)).status).toBe(0);
    raw.destroy();
  });

  it('that is destroyed when its ping is due is let go', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    const session = new Promise<ServerHttp2Session>((resolve) => server.once('session', resolve));
    await new Promise((resolve) => server.once('listening', resolve));
    const raw = new RawGrpc((server.address() as AddressInfo).port);
    const clock = new FakeClock();
    const ended = new Promise<void>((resolve) => {
      void session.then((session) => {
        new Connection(
          session,
          clock,
          { keepaliveTimeMs: 20, keepaliveTimeoutMs: 10, maxAgeMs: undefined, maxAgeGraceMs: undefined },
          resolve,
        );
        session.once('remoteSettings', () => {
          session.destroy();
          // Its close is told later than this.
          clock.advance(20e6);
        });
      });
    });
    await ended;
    raw.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('that is old is told to go when its calls are answered, and cut after the grace', async () => {
    const port = await start({ maxConnectionAgeMs: 50, maxConnectionAgeGraceMs: 300 });
    fixture.inference.hold = true;
    const raw = new RawGrpc(port);
    const told = new Promise<number>((resolve) => raw.session.once('goaway', resolve));
    const answered = raw.call(INFER.path, BYTES);
    expect(await told).toBe(constants.NGHTTP2_NO_ERROR);
    fixture.inference.held[0]?.answer();
    expect((await answered).status).toBe(0);

    const second = new RawGrpc(port);
    const cut = new Promise((resolve) => second.session.once('close', resolve));
    void second.call(INFER.path, BYTES);
    await cut;
    await fixture.inference.when(() => fixture.inference.cancelled === 1);
  });

  it('that resets its calls by the thousand is closed, and frees all they held', async () => {
    const port = await start();
    fixture.inference.hold = true;
    const raw = new RawGrpc(port);
    const cut = new Promise((resolve) => raw.session.once('close', resolve));
    const over = () => raw.session.closed || raw.session.destroyed;
    const more = () => {
      for (let i = 0; i < 100 && !over(); i++) {
        const stream = raw.session.request({
          ':method': 'POST',
          ':path': INFER.path,
          'content-type': 'application/grpc',
        });
        stream.on('error', () => {});
        stream.end(frameOf(BYTES), () => stream.close(constants.NGHTTP2_CANCEL));
      }
      if (!over()) setImmediate(more);
    };
    more();
    await cut;
    await fixture.inference.when(() => fixture.inference.held.length === 0);
    const other = new RawGrpc(port);
    fixture.inference.hold = false;
    expect((await other.call(INFER.path, BYTES)).status).toBe(0);
    other.destroy();
  });
});
