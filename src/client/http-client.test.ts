import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PenstockClient, type PenstockError } from './index.js';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let url: string;
let answers: Answer[] = [];
let seen: IncomingMessage[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    seen.push(request);
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix/`;
});

beforeEach(() => {
  seen = [];
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const says =
  (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  (_request, response) =>
    response.writeHead(status, headers).end(body);

const GOOD = says(200, JSON.stringify({ model_name: 'm', model_version: '1', outputs: [] }));
const BUSY = (headers: Record<string, string>) => says(503, '{"error":"the queue is full"}', headers);

const infer = (options: ConstructorParameters<typeof PenstockClient>[1] = {}) =>
  new PenstockClient(url, options).infer('a/b', { x: { shape: [1], data: new Float32Array(1) } });
const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable(),
    (error: PenstockError) => error,
  );

describe('the HTTP client', () => {
  it('tries again after a refusal that says when, and says how much time is left', async () => {
    answers = [BUSY({ 'retry-after': '0', 'x-penstock-reason': 'QUEUE_FULL' }), GOOD];
    expect((await infer({ timeoutMs: 5000, headers: { 'x-penstock-tenant': 't' }, token: 's' })).model).toBe('m');
    expect(seen.map((request) => request.url)).toEqual(Array(2).fill('/prefix/v2/models/a%2Fb/infer'));
    expect(seen[1]?.headers).toMatchObject({ 'x-penstock-tenant': 't', authorization: 'Bearer s' });
    const told = seen.map((request) => Number(request.headers['x-request-timeout-ms']));
    expect(told[0]).toBeLessThanOrEqual(5000);
    expect(told[1]).toBeLessThanOrEqual(told[0] as number);
  });

  it.each([
    ['does not say when', {}],
    ['may have run', { 'retry-after': '0', 'x-penstock-reason': 'EXECUTOR_LOST' }],
  ])('does not try again what %s', async (_what, headers) => {
    answers = [BUSY(headers), GOOD];
    expect(await failure(infer())).toMatchObject({ status: 503, message: 'the queue is full' });
    expect(seen.length).toBe(1);
  });

  it('does not try for ever', async () => {
    answers = [BUSY({ 'retry-after': '0' })];
    const error = await failure(infer({ retry: { attempts: 4 } }));
    expect([error.status, error.reason, error.retryAfterMs, seen.length]).toEqual([503, '', 0, 4]);
  });

  it('is aborted while it pauses', async () => {
    answers = [BUSY({ 'retry-after': '5' })];
    const abort = new AbortController();
    const client = new PenstockClient(url);
    const asked = failure(client.infer('m', {}, { signal: abort.signal }));
    while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
    abort.abort();
    expect((await asked).reason).toBe('ABORTED');
  });

  it('gives no part after its signal aborted, also of those that came before', async () => {
    const event = 'data: {"model_name":"m","model_version":"1","y":1}\n\n';
    answers = [says(200, event.repeat(3), { 'content-type': 'text/event-stream' })];
    const abort = new AbortController();
    const parts = new PenstockClient(url).generateStream('m', {}, { signal: abort.signal });
    expect((await parts.next()).value).toMatchObject({ outputs: { y: 1 } });
    abort.abort('enough');
    expect(await failure(parts.next())).toMatchObject({ reason: 'ABORTED', cause: 'enough' });
    expect((await parts.next()).done).toBe(true);
  });

  it('tells time that is over, and a connection that breaks', async () => {
    answers = [() => {}];
    expect(await failure(infer({ timeoutMs: 50 }))).toMatchObject({ status: 0, reason: 'TIMEOUT' });
    answers = [(request) => request.socket.destroy()];
    expect(await failure(infer())).toMatchObject({ status: 0, reason: 'UNREACHABLE' });
    expect(seen.length).toBe(2);
  });

  it.each([
    ['not JSON', 200, '<html>hello</html>', {}, 'the answer is not JSON'],
    ['not an object', 200, '7', {}, 'the answer is not a JSON object'],
    ['without outputs', 200, '{}', {}, 'the answer has no outputs'],
    [
      'JSON where bytes were asked for',
      200,
      '{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[1]}]}',
      {},
      "output 'y' came as JSON",
    ],
    [
      'cut off',
      200,
      '{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}',
      {},
      "output 'y' is cut off",
    ],
    [
      'too short for its shape',
      200,
      '{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":1}}]}x',
      { 'inference-header-content-length': '92' },
      'takes 4 bytes, 1 came',
    ],
    [
      'of an unknown type',
      200,
      '{"outputs":[{"name":"y","datatype":"FP8","shape":[1],"parameters":{"binary_data_size":0}}]}',
      {},
      'unknown data type FP8',
    ],
    ['the page of a proxy', 502, '<h1>Bad Gateway</h1>', {}, 'status 502: <h1>Bad Gateway</h1>'],
    ['empty', 500, '', {}, 'status 500'],
  ] as const)('says what is wrong with an answer that is %s', async (_what, status, body, headers, message) => {
    answers = [says(status, body, headers)];
    const error = await failure(infer());
    expect(error.message).toContain(message);
    expect(error.reason).toBe(status === 200 ? 'BAD_ANSWER' : '');
  });
});
