import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { type Channel, openChannels, type Settle } from './channel.js';
import { closedLoop } from './closed-loop.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { LoadTarget } from './load-job.js';
import { openLoop } from './open-loop.js';
import type { Refusal } from './refusal.js';
import { requestBytes } from './request-bytes.js';
import { clientFrame } from './web-socket-frames.js';

const open: Server[] = [];
const channels: Channel[] = [];
afterEach(() => {
  for (const channel of channels.splice(0)) channel.close();
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listening(answer: RequestListener): Promise<{ server: Server; target: LoadTarget }> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  open.push(server);
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, target: { protocol: 'http', host: '127.0.0.1', port, path: '/v2/models/m/stream' } };
}

async function opened(target: LoadTarget, count: number): Promise<Channel[]> {
  channels.push(...(await openChannels(target, count)));
  return channels;
}

const request = (target: LoadTarget) => requestBytes(target, { name: 'm', version: undefined }, [], 'json');
const p = (data: Parameters<typeof LatencyHistogram.of>[0], q: number) => LatencyHistogram.of(data).quantileUs(q);

describe('closed loop', () => {
  it('keeps as many requests in flight as there are callers, and counts every answer', async () => {
    let inFlight = 0;
    let most = 0;
    let seen = 0;
    const { target } = await listening((incoming, response) => {
      inFlight++;
      most = Math.max(most, inFlight);
      incoming.resume().on('end', () =>
        setTimeout(() => {
          inFlight--;
          seen++;
          response.end('{}');
        }, 3),
      );
    });
    const { answers, errors, latency } = await closedLoop(await opened(target, 3), [request(target)], 120);
    expect(most).toBe(3);
    expect(answers).toBe(seen);
    expect(errors).toBe(0);
    expect(p(latency, 0.5)).toBeGreaterThan(2500);
  });

  it('ends after as many requests as were asked for', async () => {
    let seen = 0;
    const { target } = await listening((_, response) => {
      seen++;
      response.end('{}');
    });
    const { answers } = await closedLoop(await opened(target, 3), [request(target)], 60_000, 20);
    expect([answers, seen]).toEqual([20, 20]);
  });

  it('counts refusals as errors with their words, and stops callers that are only refused', async () => {
    const { target } = await listening((incoming, response) => {
      incoming.resume().on('end', () => {
        response.statusCode = 503;
        response.end('{"error":"queue is full"}');
      });
    });
    const { answers, errors, firstError } = await closedLoop(await opened(target, 2), [request(target)], 60_000);
    expect([answers, errors]).toEqual([0, 40]);
    expect(firstError).toBe('status 503: {"error":"queue is full"}');
  });

  it('connects again where the server closes the connection behind an answer', async () => {
    const { target } = await listening((incoming, response) => {
      incoming.resume().on('end', () => {
        response.setHeader('Connection', 'close');
        response.end('{}');
      });
    });
    const { answers } = await closedLoop(await opened(target, 1), [request(target)], 100);
    expect(answers).toBeGreaterThan(2);
  });

  it('sends once more what a connection closed for idleness has swallowed, and no oftener', async () => {
    const seen: number[] = [];
    let answers = true;
    const { server, target } = await listening((incoming, response) => {
      const earlier = seen.indexOf(incoming.socket.remotePort as number) >= 0;
      seen.push(incoming.socket.remotePort as number);
      // The second request of a connection, or every one, meets a server that has just hung up.
      if (earlier || !answers) incoming.socket.resetAndDestroy();
      else response.end('{}');
    });
    server.keepAliveTimeout = 60_000;
    const [channel] = await opened(target, 1);
    const ask = () => new Promise<string | undefined>((settle) => channel?.send(Buffer.from(request(target)), settle));
    expect([await ask(), await ask(), await ask()]).toEqual([undefined, undefined, undefined]);
    // The first on its own connection, then each swallowed and sent again on a new one.
    expect(seen.length).toBe(5);
    answers = false;
    expect(await ask()).toMatch(/ECONNRESET|closed the connection/);
    expect(seen.length).toBe(7);
    expect(await ask()).toMatch(/ECONNRESET|closed the connection/);
    expect(seen.length).toBe(8);
  });

  it('says which server is not there', async () => {
    await expect(opened({ protocol: 'http', host: '127.0.0.1', port: 1, path: '' }, 1)).rejects.toThrow(
      /no server at 127\.0\.0\.1:1 \(ECONNREFUSED\)/,
    );
  });
});

describe('WebSocket load', () => {
  it('gets an answer to every frame, takes pings, and tells error frames', async () => {
    const { server, target } = await listening(() => {});
    let turn = 0;
    new WebSocketServer({ server }).on('connection', (socket) =>
      socket.on('message', (data: Buffer) => {
        socket.ping();
        turn++;
        socket.send(turn === 3 ? '{"error":"busy"}' : data, { binary: turn !== 3 });
      }),
    );
    const ws: LoadTarget = { ...target, protocol: 'ws' };
    const { answers, errors, firstError } = await closedLoop(
      await opened(ws, 1),
      [clientFrame(2, Buffer.alloc(300))],
      80,
    );
    expect(answers).toBeGreaterThan(5);
    expect(answers + errors).toBe(turn);
    expect([errors, firstError]).toEqual([1, '{"error":"busy"}']);
  });

  it('says where no WebSocket is taken', async () => {
    const { target } = await listening((_, response) => response.end());
    await expect(opened({ ...target, protocol: 'ws' }, 1)).rejects.toThrow(/takes no WebSocket/);
  });
});

/** A channel whose answers the test gives. */
function scriptedChannel(answerAfterMs: () => number | undefined): Channel & { sent: number } {
  return {
    sent: 0,
    send(_request: Uint8Array, settle: Settle) {
      this.sent++;
      const ms = answerAfterMs();
      if (ms !== undefined) setTimeout(settle, ms, undefined);
    },
    close() {},
  };
}

describe('open loop', () => {
  const every = (ms: number, count: number) => Float64Array.from({ length: count }, (_, i) => i * ms);

  it('charges a stall to every request that was due meanwhile', async () => {
    let first = true;
    const channel = scriptedChannel(() => {
      const ms = first ? 200 : 0;
      first = false;
      return ms;
    });
    const { answers, latency } = await openLoop([channel], [Buffer.alloc(1)], {
      arrivalsMs: every(5, 60),
      drainMs: 1000,
    });
    expect(answers).toBe(60);
    // A loop that waits would have sent one request into the stall; due were about forty.
    expect(p(latency, 0.9)).toBeGreaterThan(100_000);
    expect(p(latency, 0.5)).toBeGreaterThan(20_000);
  });

  it('does not charge its own lateness to waiting for a channel', async () => {
    const { lag } = await openLoop([scriptedChannel(() => 40)], [Buffer.alloc(1)], {
      arrivalsMs: every(1, 5),
      drainMs: 1000,
    });
    expect(LatencyHistogram.of(lag!).count).toBe(1);
  });

  it('counts what is in time, late, and refused', async () => {
    const turns: [number, string | undefined, Refusal | undefined][] = [
      [0, undefined, undefined],
      [300, undefined, undefined],
      [0, 'busy', 'room'],
      [0, 'too late', 'time'],
      [0, 'broken', undefined],
    ];
    let turn = 0;
    const channel = (): Channel => ({
      send(_request, settle) {
        const [ms, error, refusal] = turns[turn++] as (typeof turns)[number];
        setTimeout(settle, ms, error, refusal);
      },
      close() {},
    });
    const load = { arrivalsMs: every(1, 5), drainMs: 2000, withinMs: 250 };
    const result = await openLoop(Array.from({ length: 5 }, channel), [Buffer.alloc(1)], load);
    expect(result).toMatchObject({ answers: 2, inTime: 1, errors: 3, outOfTime: 1 });
    expect(LatencyHistogram.of(result.refusals!).count).toBe(2);
  });

  it('gives up on what is not answered, and counts it', async () => {
    const channel = scriptedChannel(() => undefined);
    const { answers, errors, firstError } = await openLoop([channel], [Buffer.alloc(1)], {
      arrivalsMs: every(1, 4),
      drainMs: 50,
    });
    expect([answers, errors, channel.sent]).toEqual([0, 4, 1]);
    expect(firstError).toMatch(/not answered 50 ms after/);
  });

  it('takes requests in turn', async () => {
    const seen: string[] = [];
    const channel: Channel = {
      send(bytes, settle) {
        seen.push(Buffer.from(bytes).toString());
        setImmediate(settle, undefined);
      },
      close() {},
    };
    await openLoop([channel], [Buffer.from('a'), Buffer.from('b')], { arrivalsMs: every(0, 5), drainMs: 1000 });
    expect(seen).toEqual(['a', 'b', 'a', 'b', 'a']);
  });
});
