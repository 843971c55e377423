import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HttpFixture, RawClient, startFixture } from '../../../../test/support/http-server.js';

let fixture: HttpFixture;
beforeAll(async () => {
  fixture = await startFixture();
});
afterAll(() => fixture.server.close());

const LIVE = '{"live":true}';
const GOOD = JSON.stringify({ inputs: [{ name: 'x', shape: [1], datatype: 'INT32', data: [7] }] });

/** Sends a request line with a host and gives all that comes until a word has come or the connection ends. */
async function answered(line: string, until: string, headers = 'Host: t\r\n', body = ''): Promise<string> {
  const client = new RawClient(fixture.server.port).send(`${line}\r\n${headers}\r\n${body}`);
  await client.until(until);
  client.socket.destroy();
  return client.received;
}

const statusOf = (text: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
const headerOf = (text: string, name: string) => new RegExp(`^${name}: (.*)\r$`, 'im').exec(text)?.[1];

describe('requests that are seldom', () => {
  it('are told to go on where they wait for it before they send their body', async () => {
    const client = new RawClient(fixture.server.port);
    client.send(
      `POST /v2/models/m/infer HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: ${GOOD.length}\r\n\r\n`,
    );
    await client.until('100 Continue\r\n\r\n');
    client.send(GOOD);
    await client.until('"data":[7]');
    expect(client.received).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    client.socket.destroy();
  });

  it.each([
    ['GET /v2/health/live HTTP/1.0', 505],
    ['GET http://gateway.example/v2/health/live HTTP/1.1', 505],
    ['OPTIONS * HTTP/1.1', 505],
    ['CONNECT gateway.example:443 HTTP/1.1', 505],
  ])('are refused where the library does not know their form: %s', async (line, status) => {
    const client = new RawClient(fixture.server.port).send(`${line}\r\nHost: t\r\n\r\n`);
    await client.closed;
    expect(statusOf(client.received)).toBe(status);
  });

  it.each([
    ['HEAD /v2/models/m/infer', 405, 'POST, OPTIONS'],
    ['GET /v2/models/m/infer', 405, 'POST, OPTIONS'],
    ['PUT /v2/models/m/infer', 405, 'POST, OPTIONS'],
    ['DELETE /v2/health/live', 405, 'GET, HEAD, OPTIONS'],
    ['TRACE /v2', 405, 'GET, HEAD, OPTIONS'],
    ['get /v2', 405, 'GET, HEAD, OPTIONS'],
    ['OPTIONS /v2/models/m/infer', 204, 'POST, OPTIONS'],
    ['OPTIONS /v1/models/m:predict', 204, 'GET, POST, HEAD, OPTIONS'],
    ['OPTIONS /v2/health/live', 204, 'GET, HEAD, OPTIONS'],
    ['OPTIONS /nowhere', 404, undefined],
    ['HEAD /nowhere', 404, undefined],
  ])('hear which methods there are: %s', async (line, status, allow) => {
    const text = await answered(`${line} HTTP/1.1`, '\r\n\r\n');
    expect([statusOf(text), headerOf(text, 'Allow')?.split(', ').sort()]).toEqual([status, allow?.split(', ').sort()]);
  });

  it('have no body and no length of one in an answer 204, and the length alone in one to HEAD', async () => {
    const options = await answered('OPTIONS /v2 HTTP/1.1', '\r\n\r\n');
    expect(headerOf(options, 'Content-Length')).toBeUndefined();
    expect(options.endsWith('\r\n\r\n')).toBe(true);
    const head = await answered('HEAD /v2/health/live HTTP/1.1', '\r\n\r\n');
    expect(headerOf(head, 'Content-Length')).toBe(String(LIVE.length));
    expect(head.endsWith('\r\n\r\n')).toBe(true);
  });

  it('go on over one connection after an answer without a body', async () => {
    const client = new RawClient(fixture.server.port);
    client.send('OPTIONS /v2 HTTP/1.1\r\nHost: t\r\n\r\n');
    await client.until('\r\n\r\n');
    client.send('GET /v2/health/live HTTP/1.1\r\nHost: t\r\n\r\n');
    await client.until(LIVE);
    expect(client.received).toContain(LIVE);
    client.socket.destroy();
  });

  it('end their connection where they ask for it', async () => {
    const client = new RawClient(fixture.server.port);
    client.send('GET /v2/health/live HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n');
    await client.closed;
    expect(client.received).toContain(LIVE);
  });

  it.each([
    ['/v2/models/%6D/ready', 200],
    ['/v2/models/%zz/ready', 400],
    ['/v2/models/a%2Fb/ready', 400],
    ['/v2/models/%256D/ready', 404],
    ['/v2/mod%65ls/m/ready', 404],
    ['/v2/health/live/', 404],
    ['/v2/', 404],
    ['//v2/health/live', 404],
    ['/v2/../v2/health/live', 404],
    ['/v2/health/live?a=b', 200],
  ])('have their paths read once and to the letter: %s', async (path, status) => {
    expect(statusOf(await answered(`GET ${path} HTTP/1.1`, '\r\n\r\n'))).toBe(status);
  });
});
