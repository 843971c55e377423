import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { httpOfEachTest } from '../../../../test/support/http-of-each-test.js';
import type { HttpFixture } from '../../../../test/support/http-server.js';

const http = httpOfEachTest();

const PAGE = 'https://app.example';
const OTHER = 'https://evil.example';
const GOOD = JSON.stringify({ inputs: [{ name: 'x', shape: [1], datatype: 'INT32', data: [7] }] });

async function serve(...origins: string[]): Promise<HttpFixture> {
  return http.start(origins.length === 0 ? {} : { cors: { origins, maxAgeSecs: 60 } });
}

/** The headers that browsers look at, of a call that says where its page is from. */
async function asked(path: string, origin: string | undefined, init: RequestInit = {}) {
  const answer = await fetch(`${http.fixture.url}${path}`, {
    ...init,
    headers: { ...(origin === undefined ? {} : { origin }), ...(init.headers as Record<string, string>) },
  });
  await answer.arrayBuffer();
  const of = (name: string) => answer.headers.get(name);
  return {
    status: answer.status,
    origin: of('access-control-allow-origin'),
    exposed: of('access-control-expose-headers'),
    vary: of('vary'),
    methods: of('access-control-allow-methods'),
    headers: of('access-control-allow-headers'),
    maxAge: of('access-control-max-age'),
  };
}

const preflight = (path: string, origin: string, headers?: string) =>
  asked(path, origin, {
    method: 'OPTIONS',
    headers: {
      'access-control-request-method': 'POST',
      ...(headers === undefined ? {} : { 'access-control-request-headers': headers }),
    },
  });

/** Whether an upgrade succeeds, else the status of its refusal. */
function upgraded(origin: string | undefined): Promise<true | number> {
  const url = `${http.fixture.url.replace('http', 'ws')}/v2/models/m/stream`;
  const socket = new WebSocket(url, origin === undefined ? {} : { origin });
  return new Promise((resolve) => {
    socket.once('open', () => {
      socket.close();
      resolve(true);
    });
    socket.on('unexpected-response', (_, answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    socket.on('error', () => {});
  });
}

const NOTHING = { origin: null, exposed: null, methods: null, headers: null, maxAge: null };

describe('cross-origin calls', () => {
  it('are not spoken of where no origin is allowed; WebSockets of any page are taken', async () => {
    await serve();
    expect(await asked('/v2', PAGE)).toMatchObject({ status: 200, vary: null, ...NOTHING });
    expect(await preflight('/v2/models/m/infer', PAGE)).toMatchObject({ status: 204, ...NOTHING });
    expect(await upgraded(PAGE)).toBe(true);
  });

  it('of listed origins may be read, on answers, refusals and errors alike', async () => {
    await serve(PAGE, 'http://localhost:3000');
    const readable = { origin: PAGE, exposed: '*', vary: 'Origin' };
    expect(await asked('/v2', PAGE)).toMatchObject({ status: 200, ...readable });
    const infer = { method: 'POST', body: GOOD };
    expect(await asked('/v2/models/m/infer', PAGE, infer)).toMatchObject({ status: 200, ...readable });
    expect(await asked('/v2/models/m/infer', PAGE, { ...infer, body: '{' })).toMatchObject({
      status: 400,
      ...readable,
    });
    expect(await asked('/v2/models/none/ready', PAGE)).toMatchObject({ status: 404, ...readable });
    expect(await asked('/nowhere', PAGE)).toMatchObject({ status: 404, ...readable });
    expect(await asked('/v2', PAGE, { method: 'DELETE' })).toMatchObject({ status: 405, ...readable });
    expect(await asked('/v2', 'http://localhost:3000')).toMatchObject({ origin: 'http://localhost:3000' });
    expect(await asked('/v2', PAGE, { method: 'HEAD' })).toMatchObject({ status: 200, ...readable });
  });

  it('of others, and calls of no page, are answered without a word of it, and kept apart by caches', async () => {
    await serve(PAGE);
    expect(await asked('/v2', OTHER)).toMatchObject({ status: 200, vary: 'Origin', ...NOTHING });
    expect(await asked('/v2', `${PAGE}.evil.example`)).toMatchObject({ status: 200, ...NOTHING });
    expect(await asked('/v2', 'null')).toMatchObject({ status: 200, ...NOTHING });
    expect(await asked('/v2', undefined)).toMatchObject({ status: 200, vary: 'Origin', ...NOTHING });
    expect(await preflight('/v2/models/m/infer', OTHER, 'x-a')).toMatchObject({ status: 204, ...NOTHING });
  });

  it('are asked for first: methods of the route, the headers that the page wants, and how long that holds', async () => {
    await serve(PAGE);
    const wanted = 'authorization,content-type,inference-header-content-length';
    expect(await preflight('/v2/models/m/infer', PAGE, wanted)).toEqual({
      status: 204,
      origin: PAGE,
      exposed: '*',
      vary: 'Origin',
      methods: 'POST',
      headers: wanted,
      maxAge: '60',
    });
    expect(await preflight('/v2/models/m', PAGE)).toMatchObject({ status: 204, methods: 'GET, HEAD', headers: null });
    expect(await preflight('/v2/models/m', PAGE, 'x-a: 1')).toMatchObject({ headers: null });
    expect(await preflight('/v1/models/m:predict', PAGE)).toMatchObject({ status: 204, origin: PAGE });
    expect(await preflight('/nowhere', PAGE)).toMatchObject({ status: 404, methods: null });
  });

  it('of any origin may be read where the star stands, alike for all callers', async () => {
    await serve('*');
    const readable = { origin: '*', exposed: '*', vary: null };
    expect(await asked('/v2', OTHER)).toMatchObject({ status: 200, ...readable });
    expect(await asked('/v2', undefined)).toMatchObject({ status: 200, ...readable });
    expect(await preflight('/v2/models/m/infer', OTHER, 'x-a')).toMatchObject({ ...readable, headers: 'x-a' });
    expect(await upgraded(OTHER)).toBe(true);
  });

  it('open WebSockets from listed origins and from no page, not from others', async () => {
    await serve(PAGE);
    expect(await upgraded(PAGE)).toBe(true);
    expect(await upgraded(undefined)).toBe(true);
    expect(await upgraded(OTHER)).toBe(403);
    expect(await upgraded('null')).toBe(403);
  });

  it('read answers in pieces as well', async () => {
    await serve(PAGE);
    const body = JSON.stringify({ x: [1] });
    const answer = await asked('/v2/models/m/generate_stream', PAGE, { method: 'POST', body });
    expect(answer).toMatchObject({ origin: PAGE, exposed: '*' });
  });
});
