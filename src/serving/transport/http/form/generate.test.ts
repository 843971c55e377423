import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { httpOfEachTest } from '../../../../../test/support/http-of-each-test.js';
import { type HttpFixture, RawClient } from '../../../../../test/support/http-server.js';
import { fp32, modelSpec, tensorSpec } from '../../../../../test/support/specs.js';
import { type ModelSpec, ServingError, serialiseBytes, type Tensor } from '../../../../core/index.js';
import type { HttpOptions } from '../http-options.js';

const http = httpOfEachTest();

const SPEC: ModelSpec = {
  ...modelSpec({
    inputs: [tensorSpec('text_input', 'BYTES', [1])],
    outputs: [tensorSpec('text_output', 'BYTES', [1])],
  }),
  maxBatchSize: 0,
};
const GENERATE = '/v2/models/m/generate';
const STREAM = '/v2/models/m/generate_stream';

async function start(options: Partial<HttpOptions> = {}): Promise<HttpFixture> {
  const specs = { specOf: () => SPEC, versionOf: () => 1, textModels: () => [] };
  const fixture = await http.start({ specs, ...options });
  fixture.inference.hold = true;
  return fixture;
}

function post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(`${http.fixture.url}${path}`, { method: 'POST', body: JSON.stringify(body), ...init });
}

async function asked() {
  const { inference } = http.fixture;
  await inference.when(() => inference.held.length === 1);
  return inference.held[0]!;
}

const text = (...words: string[]): Tensor[] => [
  {
    name: 'text_output',
    dataType: 'BYTES',
    shape: [words.length],
    data: serialiseBytes(words.map((word) => new TextEncoder().encode(word))),
  },
];
const HELLO = { id: 'a', text_input: 'hello' };
const OF_MODEL = { model_name: 'm', model_version: '1' };

describe('generate', () => {
  it('answers with the one response of a model, decoupled or not', async () => {
    await start();
    const plain = post(GENERATE, HELLO);
    (await asked()).answer(text('world'));
    const answer = await plain;
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(await answer.json()).toEqual({ id: 'a', ...OF_MODEL, text_output: 'world' });

    const decoupled = post(`/v2/models/m/versions/1/generate`, { text_input: 'hello' });
    const call = await asked();
    expect(call.request).toMatchObject({ version: 1, id: '' });
    call.part(text('a', 'b'));
    call.end();
    expect(await (await decoupled).json()).toEqual({ ...OF_MODEL, text_output: ['a', 'b'] });
  });

  it('refuses a model that gives more than one response, or none, and stops it', async () => {
    const { inference } = await start();
    const many = post(GENERATE, HELLO);
    const call = await asked();
    call.part(text('one'));
    call.part(text('two'));
    const answer = await many;
    expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([
      500,
      expect.stringMatching(/^generate expects model to produce exactly 1 response, use generate stream/),
    ]);
    expect(inference.cancelled).toBe(1);
    const none = post(GENERATE, HELLO);
    (await asked()).end();
    expect([(await none).status, ((await (await none).json()) as { error: string }).error]).toEqual([
      500,
      expect.stringMatching(/produced none/),
    ]);
  });

  it('writes numbers as numbers, a single one without a list', async () => {
    await start();
    const answer = post(GENERATE, HELLO);
    (await asked()).answer([fp32('one', [1, 1], [0.5]), fp32('two', [2], [1, -2])]);
    expect(await (await answer).text()).toBe(
      '{"id":"a","model_name":"m","model_version":"1","one":0.5,"two":[1.0,-2.0]}',
    );
  });

  it.each([
    [{ text_input: 5 }, 400, /element 0 \(5\) is no BYTES/],
    [[], 400, /must be a JSON object/],
  ])('refuses %j', async (body, status, message) => {
    await start();
    const answer = await post(GENERATE, body);
    expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
  });
});

describe('generate_stream', () => {
  it('sends each response as an event when it is there, and nothing for an end without outputs', async () => {
    await start();
    const client = new RawClient(Number(new URL(http.fixture.url).port));
    const body = JSON.stringify(HELLO);
    client.socket.write(`POST ${STREAM} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const call = await asked();
    let taken = 0;
    call.part(text('a\n'), () => taken++);
    await client.until('"text_output":"a');
    expect(client.received).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Type: text\/event-stream; charset=utf-8\r\n/);
    expect(taken).toBe(1);
    call.part(text('b'));
    await client.until('"text_output":"b"');
    call.end();
    await client.until('\r\n0\r\n\r\n');
    const events = client.received.match(/data: .*\n\n/g)?.map((event) => JSON.parse(event.slice(6)));
    expect(events).toEqual(['a\n', 'b'].map((word) => ({ id: 'a', ...OF_MODEL, text_output: word })));
    // The connection takes the next request.
    client.socket.write(`POST ${STREAM} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    (await asked()).answer(text('last'));
    await client.until('"text_output":"last"');
    client.socket.destroy();
  });

  it('answers an error before the first event with its status, later as an event', async () => {
    await start();
    const early = post(STREAM, HELLO);
    (await asked()).fail(new ServingError('QUEUE_FULL', 'the queue is full'));
    expect([(await early).status, await (await early).json()]).toEqual([503, { error: 'the queue is full' }]);
    const late = post(STREAM, HELLO);
    const call = await asked();
    call.part(text('a'));
    call.fail(new ServingError('BACKEND_FAILED', 'it "broke"'));
    const answer = await late;
    expect(answer.status).toBe(200);
    expect((await answer.text()).split('\n\n')).toEqual([
      'data: {"id":"a","model_name":"m","model_version":"1","text_output":"a"}',
      'data: {"error":"it \\"broke\\""}',
      '',
    ]);
    expect(http.fixture.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  it('answers a model with one response by one event, and one without any by none', async () => {
    await start();
    const one = post(STREAM, HELLO);
    (await asked()).answer(text('world'));
    expect(await (await one).text()).toBe(
      'data: {"id":"a","model_name":"m","model_version":"1","text_output":"world"}\n\n',
    );
    const none = post(STREAM, HELLO);
    (await asked()).end();
    expect([(await none).status, await (await none).text()]).toEqual([200, '']);
  });

  it('says what cannot be written as an event, and stops the model', async () => {
    const { inference } = await start();
    const answer = post(STREAM, HELLO);
    const call = await asked();
    call.part(text('a'));
    call.part([fp32('y', [1], [Number.NaN])]);
    expect((await (await answer).text()).split('\n\n')[1]).toMatch(/^data: \{"error":".*NaN/);
    expect(inference.cancelled).toBe(1);
  });

  it('stops the model when the client goes away', async () => {
    const { inference } = await start();
    const abort = new AbortController();
    const answer = await Promise.all([
      post(STREAM, HELLO, { signal: abort.signal }),
      asked().then((call) => call.part(text('a'))),
    ]).then(([response]) => response);
    const read = answer.text().catch(() => 'aborted');
    abort.abort();
    expect(await read).toBe('aborted');
    await inference.when(() => inference.cancelled === 1);
  });

  it('lets the model wait while the client does not read', async () => {
    await start();
    const socket = connect(Number(new URL(http.fixture.url).port), '127.0.0.1');
    const body = JSON.stringify({ text_input: 'x' });
    socket.write(`POST ${STREAM} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    const call = await asked();
    const large = text('x'.repeat(1 << 20));
    let taken = 0;
    let wake = () => {};
    for (let i = 0; i < 30; i++)
      call.part(large, () => {
        taken++;
        wake();
      });
    expect(taken).toBeLessThan(30);
    const all = new Promise<void>((resolve) => {
      wake = () => taken === 30 && resolve();
    });
    let events = 0;
    const ended = new Promise<void>((resolve) =>
      socket.on('data', (chunk: Buffer) => {
        // An event begins a chunk of the answer, and no piece of the text is so long.
        for (let at = chunk.indexOf('data: '); at >= 0; at = chunk.indexOf('data: ', at + 1)) events++;
        if (chunk.subarray(-5).toString() === '0\r\n\r\n') resolve();
      }),
    );
    await all;
    call.end();
    await ended;
    // One may lie across two pieces of the stream of bytes.
    expect(events).toBeGreaterThan(20);
    socket.destroy();
  });
});
