import { request as httpRequest } from 'node:http';
import { deflateSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { httpOfEachTest } from '../../../../test/support/http-of-each-test.js';
import { type HttpFixture, RawClient } from '../../../../test/support/http-server.js';
import { fp32 } from '../../../../test/support/specs.js';
import { ServingError, type Tensor } from '../../../core/index.js';
import type { HttpOptions } from './http-options.js';

const http = httpOfEachTest();

async function start(options: Partial<HttpOptions> = {}): Promise<HttpFixture> {
  return http.start(options);
}

const JSON_BODY = JSON.stringify({
  id: 'a1',
  inputs: [{ name: 'x', shape: [1, 2], datatype: 'FP32', data: [1.5, -2] }],
});

function binaryBody(values: readonly number[]): { body: Buffer; headers: Record<string, string> } {
  const data = Buffer.from(Float32Array.from(values).buffer);
  const json = Buffer.from(
    JSON.stringify({
      inputs: [
        { name: 'x', shape: [1, values.length], datatype: 'FP32', parameters: { binary_data_size: data.length } },
      ],
      parameters: { binary_data_output: true },
    }),
  );
  return { body: Buffer.concat([json, data]), headers: { 'Inference-Header-Content-Length': String(json.length) } };
}

function post(url: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: 'POST', body: body as never, headers });
}

describe('inference over HTTP', () => {
  it('says in headers what became of the request on its way, where it is asked for', async () => {
    const { url } = await start();
    const named = (answer: Response) => [...answer.headers.keys()].filter((name) => name.startsWith('x-penstock-'));
    const asked = await post(`${url}/v2/models/m/infer`, JSON_BODY, { 'x-penstock-explain': 'true' });
    expect(named(asked).sort()).toEqual([
      'x-penstock-batch-size',
      'x-penstock-compute-us',
      'x-penstock-padding-share',
      'x-penstock-queue-us',
      'x-penstock-route',
      'x-penstock-table',
      'x-penstock-version',
    ]);
    for (const name of named(asked)) expect(asked.headers.get(name)).toMatch(/^[\d.]+$|^default$/);
    const plain = await post(`${url}/v2/models/m/infer`, JSON_BODY);
    expect(named(plain)).toEqual(['x-penstock-route', 'x-penstock-table', 'x-penstock-version']);
  });

  it('answers JSON with JSON, with and without a version', async () => {
    const { url, inference } = await start();
    const answer = await post(`${url}/v2/models/m/infer`, JSON_BODY);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('x-penstock-version')).toBe('1');
    expect(await answer.json()).toEqual({
      model_name: 'm',
      model_version: '1',
      id: 'a1',
      outputs: [{ name: 'out_x', datatype: 'FP32', shape: [1, 2], data: [1.5, -2] }],
    });
    const versioned = await post(`${url}/v2/models/m/versions/7/infer`, JSON_BODY);
    expect(((await versioned.json()) as { model_version: string }).model_version).toBe('7');
    expect(inference.requests.map(({ version }) => version)).toEqual([undefined, 7]);
  });

  it('answers binary tensors with binary tensors', async () => {
    const { url } = await start();
    const { body, headers } = binaryBody([1, 2, 3]);
    const answer = await post(`${url}/v2/models/m/infer`, body, headers);
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    const bytes = Buffer.from(await answer.arrayBuffer());
    const jsonBytes = Number(answer.headers.get('inference-header-content-length'));
    expect(JSON.parse(bytes.toString('utf8', 0, jsonBytes)).outputs[0].parameters).toEqual({ binary_data_size: 12 });
    expect(bytes.subarray(jsonBytes)).toEqual(body.subarray(-12));
  });

  it('takes a raw body where the header length is 0', async () => {
    const { url, inference } = await start();
    const answer = await post(`${url}/v2/models/m/infer`, Buffer.from([1, 2, 3]), {
      'Inference-Header-Content-Length': '0',
    });
    expect(answer.status).toBe(200);
    expect([...(inference.requests[0]?.rawInput ?? [])]).toEqual([1, 2, 3]);
  });

  it('decodes names once', async () => {
    const { url, inference } = await start();
    await post(`${url}/v2/models/a%20b%C3%A9/infer`, JSON_BODY);
    await post(`${url}/v2/models/%2525/infer`, JSON_BODY);
    expect(inference.requests.map(({ model }) => model)).toEqual(['a bé', '%25']);
  });

  it('turns x-request-timeout-ms into a deadline', async () => {
    const { url, inference } = await start();
    await post(`${url}/v2/models/m/infer`, JSON_BODY, { 'x-request-timeout-ms': '250' });
    const { deadlineNs, receivedNs } = inference.requests[0]!;
    expect(deadlineNs - receivedNs).toBe(250e6);
    for (const wrong of ['0', '-1', 'soon', '1e3']) {
      expect((await post(`${url}/v2/models/m/infer`, JSON_BODY, { 'x-request-timeout-ms': wrong })).status).toBe(400);
    }
  });

  it.each([
    ['gzip', gzipSync(JSON_BODY)],
    ['deflate', deflateSync(JSON_BODY)],
  ])('takes a body in %s', async (encoding, body) => {
    const { url, offload } = await start();
    const answer = await post(`${url}/v2/models/m/infer`, body, { 'Content-Encoding': encoding });
    expect(((await answer.json()) as { outputs: { data: number[] }[] }).outputs[0]?.data).toEqual([1.5, -2]);
    expect(offload.ran).toEqual(['decompress']);
  });

  it('decodes a large JSON body on a pool thread, compressed or not', async () => {
    const { url, offload } = await start();
    const data = Array.from({ length: 60_000 }, (_, i) => i / 7);
    const body = JSON.stringify({ inputs: [{ name: 'x', shape: [1, data.length], datatype: 'FP64', data }] });
    for (const compressed of [false, true]) {
      const answer = compressed
        ? await post(`${url}/v2/models/m/infer`, gzipSync(body), { 'Content-Encoding': 'gzip' })
        : await post(`${url}/v2/models/m/infer`, body);
      expect(((await answer.json()) as { outputs: { data: number[] }[] }).outputs[0]?.data).toEqual(data);
    }
    expect(offload.ran).toEqual(['decodeV2Json', 'decompress', 'decodeV2Json']);
  });

  it.each([
    ['gzip', gunzipSync],
    ['deflate', inflateSync],
  ] as const)('compresses a large reply in %s only where the client asks', async (encoding, decompress) => {
    const { url } = await start();
    const values = Array.from({ length: 4000 }, (_, i) => i % 5);
    const { body, headers } = binaryBody(values);
    for (const [accept, expected] of [
      [encoding, encoding],
      [`${encoding};q=0`, undefined],
      ['identity', undefined],
    ] as const) {
      const answer = await rawBody(`${url}/v2/models/m/infer`, body, { ...headers, 'Accept-Encoding': accept });
      expect(answer.encoding).toBe(expected);
      const plain = expected === undefined ? answer.body : decompress(answer.body);
      expect(plain.subarray(-16000)).toEqual(body.subarray(-16000));
      expect(answer.headerLength).toBe(String(plain.length - 16000));
    }
  });

  it.each([
    [new ServingError('QUEUE_FULL', 'full', { retryAfterMs: 1500 }), 503, '2'],
    [new ServingError('RATE_LIMITED', 'slower'), 429, '1'],
    [new ServingError('DEADLINE_EXCEEDED', 'late'), 504, null],
    [new ServingError('SHAPE_MISMATCH', 'input x: shape'), 400, null],
  ])('maps %s to its status', async (failure, status, retryAfter) => {
    const { url, inference } = await start();
    inference.failure = failure;
    const answer = await post(`${url}/v2/models/m/infer`, JSON_BODY);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('retry-after')).toBe(retryAfter);
    expect(await answer.json()).toEqual({ error: failure.message });
  });

  it('answers an output that has no JSON form with an error, and the next request rightly', async () => {
    const { url, inference } = await start();
    inference.outputs = [{ name: 'h', dataType: 'FP16', shape: [1], data: new Uint8Array(2) }];
    expect((await post(`${url}/v2/models/m/infer`, JSON_BODY)).status).toBe(400);
    inference.outputs = undefined;
    expect((await post(`${url}/v2/models/m/infer`, JSON_BODY)).status).toBe(200);
  });

  it('sends a reply of many megabytes to a client that reads slowly, whole', async () => {
    const { server, inference } = await start();
    const data = new Uint8Array(24 * 1024 * 1024).map((_, i) => (i * 31) & 0xff);
    inference.outputs = [{ name: 'big', dataType: 'UINT8', shape: [data.length], data } satisfies Tensor];
    const client = new RawClient(server.port);
    client.socket.pause();
    const { body, headers } = binaryBody([1]);
    client.send(head('POST /v2/models/m/infer', { ...headers, 'Content-Length': String(body.length) })).send(body);
    await inference.when(() => inference.requests.length === 1);
    const chunks: Buffer[] = [];
    let bytes = 0;
    await new Promise<void>((resolve) => {
      client.socket.on('data', (chunk) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > data.length) resolve();
      });
      client.socket.resume();
    });
    expect(Buffer.concat(chunks).subarray(-data.length).equals(data)).toBe(true);
    client.socket.destroy();
  });

  it('cancels a request whose client goes away', async () => {
    const { server, inference, url } = await start();
    inference.hold = true;
    const client = new RawClient(server.port);
    client.send(`${head('POST /v2/models/m/infer', { 'Content-Length': String(JSON_BODY.length) })}${JSON_BODY}`);
    await inference.when(() => inference.held.length === 1);
    client.socket.destroy();
    await inference.when(() => inference.cancelled === 1);
    inference.hold = false;
    expect((await post(`${url}/v2/models/m/infer`, JSON_BODY)).status).toBe(200);
  });

  it('answers Expect: 100-continue', async () => {
    const { server } = await start();
    const client = new RawClient(server.port);
    client.send(
      head('POST /v2/models/m/infer', { 'Content-Length': String(JSON_BODY.length), Expect: '100-continue' }),
    );
    await client.until('100 Continue\r\n\r\n');
    client.send(JSON_BODY);
    await client.until('"outputs"');
    expect(client.received).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
    client.socket.destroy();
  });

  it('refuses more body bytes in flight than it may hold, and serves again when they are gone', async () => {
    const { url, inference } = await start({ maxInputBytes: 10_000, maxInFlightBytes: 12_000 });
    inference.hold = true;
    const values = Array.from({ length: 2000 }, () => 1);
    const { body, headers } = binaryBody(values);
    const first = post(`${url}/v2/models/m/infer`, body, headers);
    await inference.when(() => inference.held.length === 1);
    const second = await post(`${url}/v2/models/m/infer`, body, headers);
    expect(second.status).toBe(503);
    expect(((await second.json()) as { error: string }).error).toMatch(/bodies in flight hold/);
    inference.hold = false;
    inference.held[0]?.answer([fp32('y', [1])]);
    expect((await first).status).toBe(200);
    expect((await post(`${url}/v2/models/m/infer`, body, headers)).status).toBe(200);
  });
});

describe('what is refused before the data path', () => {
  it('is told once for each inference, and what the data path refused is not', async () => {
    const refused: string[] = [];
    const { url, inference } = await start({ onRefused: (reason) => refused.push(reason), maxInputBytes: 500 });
    await post(`${url}/v2/models/m/infer`, '{');
    await post(`${url}/v2/models/m/infer`, 'x'.repeat(501));
    await post(`${url}/v2/models/m/infer`, JSON_BODY, { 'Content-Encoding': 'br' });
    await post(`${url}/v2/models/m/infer`, JSON_BODY, { 'x-request-timeout-ms': 'a' });
    inference.failure = new ServingError('QUEUE_FULL', 'full');
    await post(`${url}/v2/models/m/infer`, JSON_BODY);
    expect(refused).toEqual(['MALFORMED_REQUEST', 'BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA', 'MALFORMED_REQUEST']);
  });
});

describe('draining', () => {
  it('answers what it accepted, refuses what comes after on open connections, then closes', async () => {
    const { server, inference } = await start();
    inference.hold = true;
    const text = `${head('POST /v2/models/m/infer', { 'Content-Length': String(JSON_BODY.length) })}${JSON_BODY}`;
    const waiting = new RawClient(server.port).send(text);
    const idle = new RawClient(server.port).send(head('GET /v2'));
    await Promise.all([inference.when(() => inference.held.length === 1), idle.until('extensions')]);
    idle.received = '';
    server.closeIntake();
    const closed = server.close();
    idle.send(text);
    await idle.closed;
    expect(idle.received).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n[\s\S]*Connection: close\r\n[\s\S]*draining/);
    inference.held[0]?.answer();
    await Promise.all([waiting.closed, closed]);
    expect(waiting.received).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*"outputs"/);
    const late = new RawClient(server.port);
    await late.closed;
    expect(late.received).toBe('');
  });

  it('tells readiness and liveness while it drains', async () => {
    const { server, inference } = await start();
    inference.hold = true;
    new RawClient(server.port).send(
      `${head('POST /v2/models/m/infer', { 'Content-Length': String(JSON_BODY.length) })}${JSON_BODY}`,
    );
    const ready = new RawClient(server.port).send(head('GET /v2'));
    const live = new RawClient(server.port).send(head('GET /v2'));
    await Promise.all([
      ready.until('extensions'),
      live.until('extensions'),
      inference.when(() => inference.held.length === 1),
    ]);
    server.closeIntake();
    ready.send(head('GET /v2/health/ready'));
    live.send(head('GET /v2/health/live'));
    await Promise.all([ready.closed, live.closed]);
    expect(ready.received).toMatch(/503 Service Unavailable[\s\S]*{"ready":false}$/);
    expect(live.received).toMatch(/{"live":true}$/);
  });

  it('does not wait for ever for a client that does not read', async () => {
    const { server, inference, log } = await start({ closeTimeoutMs: 50 });
    const data = new Uint8Array(64 * 1024 * 1024);
    inference.outputs = [{ name: 'big', dataType: 'UINT8', shape: [data.length], data }];
    const client = new RawClient(server.port);
    client.socket.pause();
    const { body, headers } = binaryBody([1]);
    client.send(head('POST /v2/models/m/infer', { ...headers, 'Content-Length': String(body.length) })).send(body);
    await inference.when(() => inference.requests.length === 1);
    await server.close();
    expect(log.lines.map(({ message }) => message)).toContain('closing with replies unread');
    client.socket.destroy();
  });
});

function head(start: string, headers: Record<string, string> = {}): string {
  const lines = Object.entries({ Host: 'test', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${start} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** The reply as it is on the wire, not decompressed. */
function rawBody(
  url: string,
  body: Uint8Array,
  headers: Record<string, string>,
): Promise<{ body: Buffer; encoding: string | undefined; headerLength: unknown }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url,
      { method: 'POST', headers: { ...headers, 'Content-Length': body.length } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            body: Buffer.concat(chunks),
            encoding: response.headers['content-encoding'],
            headerLength: response.headers['inference-header-content-length'],
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
