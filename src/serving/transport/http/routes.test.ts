import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type HttpFixture, RawClient, startFixture } from '../../../../test/support/http-server.js';
import { ServingError } from '../../../core/index.js';
import { isLoopback } from './caller.js';
import type { OpenApiDocument } from './openapi.js';
import { ROUTES } from './routes.js';

let fixture: HttpFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
beforeEach(() => {
  fixture.models.failure = undefined;
  fixture.models.calls.load.length = 0;
  fixture.models.calls.unload.length = 0;
  fixture.process.ready = true;
});
afterAll(() => fixture.server.close());

async function get(path: string, init: RequestInit = {}): Promise<{ status: number; body: unknown; headers: Headers }> {
  const answer = await fetch(fixture.url + path, init);
  const text = await answer.text();
  return { status: answer.status, body: text === '' ? '' : JSON.parse(text), headers: answer.headers };
}

const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
  get(path, {
    method: 'POST',
    headers,
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });

describe('the routes of V2', () => {
  it.each([
    ['/v2', { name: 'penstock', version: '0.0.0' }],
    ['/v2/health/live', { live: true }],
    ['/v2/health/ready', { ready: true }],
    ['/v2/models/m', { name: 'm', versions: ['1'], inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }] }],
    ['/v2/models/m/versions/1', { name: 'm' }],
    ['/v2/models/m/ready', { name: 'm', ready: true }],
    ['/v2/models/m/versions/1/ready', { name: 'm', ready: true }],
    ['/v2/models/m/config', { name: 'm' }],
    ['/v2/models/m/stats', { model_stats: [{ name: 'm', version: '1' }] }],
    ['/v2/models/stats', { model_stats: [{ name: 'm' }] }],
    ['/v2/models/m/status', { name: 'm' }],
  ])('answers GET %s', async (path, expected) => {
    const { status, body } = await get(path);
    expect(status).toBe(200);
    expect(body).toMatchObject(expected);
  });

  it('is not ready by status and body', async () => {
    fixture.process.ready = false;
    expect(await get('/v2/health/ready')).toMatchObject({ status: 503, body: { ready: false } });
  });

  it('lists the repository, all or what is ready', async () => {
    fixture.models.notReady = [{ name: 'broken', version: undefined, state: 'UNAVAILABLE', reason: 'no file' }];
    expect(((await post('/v2/repository/index')).body as unknown[]).length).toBe(2);
    expect((await post('/v2/repository/index', { ready: true })).body).toEqual([
      { name: 'm', version: '1', state: 'READY' },
    ]);
    expect((await post('/v2/repository/index', { ready: 'yes' })).status).toBe(400);
    fixture.models.notReady = [];
  });

  it('takes feedback as lines, from callers with the right to give it', async () => {
    const lines = '{"id":"a","model":"m","correct":true}\n{"id":"unknown","model":"m","correct":true}\n';
    const right = { authorization: 'Bearer secret' };
    expect(await post('/v2/feedback', lines, right)).toMatchObject({ status: 200, body: { accepted: 1, unknown: 1 } });
    expect(fixture.feedback.items.map((item) => item.requestId)).toEqual(['a', 'unknown']);
    expect((await post('/v2/feedback', lines)).status).toBe(401);
    expect((await post('/v2/feedback', lines, { authorization: 'Bearer wrong' })).status).toBe(403);
    expect((await post('/v2/feedback', 'nonsense', right)).status).toBe(400);
    expect((await post('/v2/feedback', ' '.repeat(3 * 1024 * 1024), right)).status).toBe(413);
  });

  it('loads and unloads with their parameters', async () => {
    const config = '{"max_batch_size":4}';
    expect(
      (await post('/v2/repository/models/m/load', { parameters: { config, 'file:1/model.onnx': 'AAEC' } })).status,
    ).toBe(200);
    const [name, parameters] = fixture.models.calls.load[0]!;
    expect(name).toBe('m');
    expect(parameters.config).toBe(config);
    expect([...parameters.files]).toEqual([['1/model.onnx', Buffer.from([0, 1, 2])]]);
    expect((await post('/v2/repository/models/m/unload', { parameters: { unload_dependents: true } })).status).toBe(
      200,
    );
    expect(fixture.models.calls.unload).toEqual([['m', true]]);
    fixture.models.failure = new ServingError('MODEL_INVALID', 'm: no such file');
    expect(await post('/v2/repository/models/m/load')).toMatchObject({
      status: 400,
      body: { error: 'm: no such file' },
    });
  });

  it.each(['[]', '"a"', '{', '{"parameters":[]}', '\u0000'])('refuses the load body %j', async (body) => {
    expect((await post('/v2/repository/models/m/load', body)).status).toBe(400);
    expect(fixture.models.calls.load).toEqual([]);
  });

  it('answers unknown models and versions with 404', async () => {
    expect((await get('/v2/models/none')).status).toBe(404);
    expect((await get('/v2/models/m/versions/9')).status).toBe(404);
    for (const version of ['0', '-1', '1.0', 'x', '%31']) {
      expect((await get(`/v2/models/m/versions/${version}`)).status).toBe(400);
    }
  });

  it.each([
    '/v3',
    '/v2/',
    '/v2/models/m/',
    '/v2/models/m/infer/',
    '/V2',
    '/v2//health/live',
    '/v2/models/m/versions/1/x',
  ])('answers the unknown path %s with 404 Not Found', async (path) => {
    expect(await get(path)).toMatchObject({ status: 404, body: { error: 'Not Found' } });
  });

  it('answers wrong verbs with 405 and what is allowed', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const answer = await get('/v2/health/live', { method });
      expect(answer).toMatchObject({ status: 405, body: { error: 'Method Not Allowed' } });
      expect(answer.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    }
    expect((await get('/v2/models/m/infer')).status).toBe(405);
    expect((await post('/v2/models/stats')).status).toBe(405);
  });

  it('answers HEAD as GET without a body, and OPTIONS', async () => {
    const head = await get('/v2/health/live', { method: 'HEAD' });
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head.headers.get('content-length')).toBe('13');
    expect((await get('/none', { method: 'HEAD' })).status).toBe(404);
    const options = await get('/v2/models/m/infer', { method: 'OPTIONS' });
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toBe('POST, OPTIONS');
  });

  it('serves the next request on a connection after it refused one with a body', async () => {
    const client = new RawClient(fixture.server.port);
    client.send('POST /none HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello');
    await client.until('Not Found"}');
    client.send('GET /v2/health/live HTTP/1.1\r\nHost: t\r\n\r\n');
    await client.until('{"live":true}');
    expect(client.received).toMatch(/{"live":true}$/);
    client.socket.destroy();
  });
});

describe('administrative calls', () => {
  it.each([
    ['from this machine', {}, 200],
    ['with the token', { Authorization: 'Bearer secret' }, 200],
    ['with a wrong token', { Authorization: 'Bearer wrong' }, 403],
    ['of a web page', { Origin: 'http://evil.example' }, 401],
    ['through a proxy', { 'X-Forwarded-For': '10.0.0.1' }, 401],
    ['through a proxy (RFC 7239)', { Forwarded: 'for=10.0.0.1' }, 401],
    ['of a web page with the token', { Origin: 'http://ours.example', Authorization: 'Bearer secret' }, 200],
  ])('%s: %j gives %i', async (_, headers, status) => {
    for (const verb of ['load', 'unload']) {
      expect((await post(`/v2/repository/models/m/${verb}`, {}, headers)).status).toBe(status);
    }
    expect(fixture.models.calls.load.length).toBe(status === 200 ? 1 : 0);
  });

  it.each([
    [[127, 0, 0, 1], true],
    [[127, 9, 9, 9], true],
    [[10, 0, 0, 1], false],
    [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], true],
    [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1], true],
    [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1], false],
    [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], false],
    [[], false],
  ])('knows whether %j is of this machine', (address, loopback) => {
    expect(isLoopback(Uint8Array.from(address))).toBe(loopback);
  });
});

describe('the documents', () => {
  it('describe every route, with a request for each ready model that is answered', async () => {
    const { body } = await get('/v2/docs/openapi.json');
    const document = body as OpenApiDocument;
    expect(document.openapi).toBe('3.1.0');
    for (const { pattern, method } of ROUTES) {
      const path = pattern.replace(/\/:([a-z]+)/g, '/{$1}');
      expect(document.paths[path]?.[method.toLowerCase()]?.summary).toBeTypeOf('string');
    }
    const ids = Object.values(document.paths).flatMap((path) =>
      Object.values(path).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
    const example =
      document.paths['/v2/models/{model}/infer']?.post?.requestBody?.content['application/json']?.examples?.m?.value;
    expect((await post('/v2/models/m/infer', example)).status).toBe(200);
  });

  it('refer only to schemas that exist', async () => {
    const document = (await get('/v2/docs/openapi.json')).body as OpenApiDocument;
    const names = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
      (match) => match[1] as string,
    );
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) expect(document.components.schemas).toHaveProperty(name);
  });

  it('are a page without anything from elsewhere', async () => {
    const answer = await fetch(`${fixture.url}/v2/docs`);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const page = await answer.text();
    expect(page).toContain('/v2/models/{model}/infer');
    expect(page).not.toMatch(/<script|<img|<link|https?:\/\//);
  });
});

describe('binding', () => {
  it('refuses a port that is taken, and says which', async () => {
    await expect(startFixture({ port: fixture.server.port })).rejects.toMatchObject({
      reason: 'CONFLICT',
      message: expect.stringContaining(`127.0.0.1 port ${fixture.server.port}`),
    });
  });

  it.each(['::1', '[::1]'])('listens on %s', async (address) => {
    const other = await startFixture({ address });
    expect((await fetch(`http://[::1]:${other.server.port}/v2/health/live`)).status).toBe(200);
    await other.server.close();
  });

  it('refuses an address of another machine', async () => {
    await expect(startFixture({ address: '192.0.2.1' })).rejects.toMatchObject({ reason: 'CONFLICT' });
  });
});
