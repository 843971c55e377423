import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HttpFixture, RawClient, startFixture } from '../../../../test/support/http-server.js';

const GOOD = JSON.stringify({ inputs: [{ name: 'x', shape: [1], datatype: 'INT32', data: [7] }] });
const INFER = 'POST /v2/models/m/infer HTTP/1.1\r\nHost: t\r\n';

let fixture: HttpFixture;
beforeEach(async () => {
  fixture = await startFixture({ maxInputBytes: 1024 * 1024 });
});
/** After every attack the next good request is answered, and nothing of the attack is held any more. */
afterEach(async () => {
  const answer = await fetch(`${fixture.url}/v2/models/m/infer`, { method: 'POST', body: GOOD });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ outputs: [{ data: [7] }] });
  expect(fixture.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  await fixture.server.close();
  expect(fixture.memory.leases).toBe(0);
});

function raw(data: string | Uint8Array): RawClient {
  return new RawClient(fixture.server.port).send(data);
}

describe('hostile requests', () => {
  it('ends an endless body of 1-byte chunks at the limit, with bounded memory', async () => {
    const before = process.memoryUsage().rss;
    const client = raw(`${INFER}Transfer-Encoding: chunked\r\n\r\n`);
    const chunks = Buffer.from('1\r\na\r\n'.repeat(100_000));
    for (let i = 0; i < 11; i++) client.send(chunks);
    await client.until('HTTP/1.1');
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 413 .*at most 1048576 bytes, more came/s);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('refuses a Content-Length over the limit before the body comes', async () => {
    const client = raw(`${INFER}Content-Length: 99999999999\r\n\r\n`);
    await client.until('Content-Length is 99999999999');
    expect(client.received).toMatch(/^HTTP\/1\.1 413/);
    client.socket.destroy();
  });

  it('waits for what a lying Content-Length declared without allocating it, and drops it with the client', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const clients = Array.from({ length: 50 }, () => raw(`${INFER}Content-Length: 1000000\r\n\r\nab`));
    const probe = raw('GET /v2/health/live HTTP/1.1\r\nHost: t\r\n\r\n');
    await probe.until('{"live":true}');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    for (const client of [...clients, probe]) client.socket.destroy();
    expect(fixture.inference.requests).toHaveLength(0);
  });

  it.each([
    ['Content-Length and Transfer-Encoding', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}'],
    ['an unknown transfer coding', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a signed length', 'Content-Length: +2\r\n\r\n{}'],
    ['a negative length', 'Content-Length: -2\r\n\r\n{}'],
    ['a length beyond 64 bits', 'Content-Length: 99999999999999999999999\r\n\r\n{}'],
    ['a chunk size that is none', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n'],
  ])('smuggles no second request behind %s', async (_, rest) => {
    const client = raw(`${INFER}${rest}GET /v2/models/m/config HTTP/1.1\r\nHost: t\r\n\r\n`);
    await client.closed;
    // Refused, or closed without a word where a second request came along.
    expect(client.received).toMatch(/^(HTTP\/1\.1 400|$)/);
    expect(client.received.match(/HTTP\/1\.1 /g) ?? []).not.toHaveLength(2);
    expect(fixture.inference.requests).toHaveLength(0);
  });

  it('takes headers of 40 KB and refuses more than 64 KB with 431', async () => {
    const sized = async (bytes: number) => {
      const client = raw(`GET /v2 HTTP/1.1\r\nHost: t\r\nX: ${'a'.repeat(bytes)}\r\nConnection: close\r\n\r\n`);
      await client.closed;
      return client.received;
    };
    expect(await sized(40_000)).toMatch(/^HTTP\/1\.1 200/);
    expect(await sized(70_000)).toMatch(/^HTTP\/1\.1 431/);
  });

  it('answers pipelined calls in order, and mixes up nothing where it must wait', async () => {
    const sync = raw('GET /v2/health/live HTTP/1.1\r\nHost: t\r\n\r\nGET /v2/health/ready HTTP/1.1\r\nHost: t\r\n\r\n');
    await sync.until('{"ready":true}');
    expect(sync.received.indexOf('{"live":true}')).toBeLessThan(sync.received.indexOf('{"ready":true}'));
    sync.socket.destroy();
    fixture.inference.hold = true;
    const body = `Content-Length: ${GOOD.length}\r\n\r\n${GOOD}`;
    const held = raw(`${INFER}${body}${INFER}${body}`);
    await held.closed;
    expect(held.received).toBe('');
    expect(fixture.inference.cancelled).toBe(1);
    fixture.inference.hold = false;
  });

  it.each([
    ['broken gzip', Buffer.from('not gzip at all'), 400],
    ['cut gzip', gzipSync(GOOD).subarray(0, 20), 400],
    ['a gzip bomb', gzipSync(Buffer.alloc(50 * 1024 * 1024)), 413],
  ])('refuses %s', async (_, body, status) => {
    const answer = await fetch(`${fixture.url}/v2/models/m/infer`, {
      method: 'POST',
      body,
      headers: { 'Content-Encoding': 'gzip' },
    });
    expect(answer.status).toBe(status);
    expect(fixture.inference.requests).toHaveLength(0);
  });

  it('refuses an encoding it does not know', async () => {
    const answer = await fetch(`${fixture.url}/v2/models/m/infer`, {
      method: 'POST',
      body: GOOD,
      headers: { 'Content-Encoding': 'br' },
    });
    expect(answer.status).toBe(415);
  });

  it('forgets a body whose client leaves in the middle', async () => {
    const client = raw(`${INFER}Content-Length: 900000\r\n\r\n${'a'.repeat(500_000)}`);
    const control = raw(`POST /v2/repository/index HTTP/1.1\r\nHost: t\r\nContent-Length: 900\r\n\r\n{`);
    const probe = raw('GET /v2/health/live HTTP/1.1\r\nHost: t\r\n\r\n');
    await probe.until('{"live":true}');
    for (const one of [client, control, probe]) one.socket.destroy();
    await Promise.all([client.closed, control.closed]);
  });

  it.each([
    '..%2f..%2fetc',
    '%2e%2e',
    '..',
    '.hidden',
    'a%2fb',
    'a%5cb',
    'a%00b',
    'a%0d%0ab',
    '%ff',
    '',
    'x'.repeat(257),
  ])('refuses the model name %j on every route that takes one', async (name) => {
    // The library's router has no empty segments, so that an empty name is no route.
    const refused = name === '' ? /^HTTP\/1\.1 404/ : /^HTTP\/1\.1 400/;
    const routes = [
      ['GET', ''],
      ['GET', '/ready'],
      ['GET', '/config'],
      ['GET', '/stats'],
      ['GET', '/status'],
      ['POST', '/infer'],
      ['GET', '/versions/1'],
    ];
    for (const [method, suffix] of routes) {
      const client = raw(
        `${method} /v2/models/${name}${suffix} HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      );
      await client.closed;
      expect(client.received).toMatch(refused);
    }
    for (const verb of ['load', 'unload']) {
      const client = raw(
        `POST /v2/repository/models/${name}/${verb} HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
      );
      await client.closed;
      expect(client.received).toMatch(refused);
    }
    expect(fixture.models.calls).toEqual({ load: [], unload: [] });
  });

  it('keeps a name that is encoded twice a strange name', async () => {
    const client = raw('GET /v2/models/%252e%252e%252fx HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n');
    await client.closed;
    expect(client.received).toMatch(/^HTTP\/1\.1 404 [\s\S]*%2e%2e%2fx/);
  });

  it('closes connections that never finish their request', { timeout: 60_000 }, async () => {
    const slow = [raw(''), raw('GET /v2 HTTP/1.1\r\nHos'), raw(`${INFER}Content-Length: 1000\r\n\r\n{`)];
    await Promise.all(slow.map(({ closed }) => closed));
    expect(fixture.inference.requests).toHaveLength(0);
  });
});
