import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:http2';
import { connect as connectTo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const folders: string[] = [];
let gateway: RunningGateway | undefined;

afterEach(async () => {
  await gateway?.stop();
  gateway = undefined;
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function place(): { readonly http: string; readonly grpc: string } {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-sockets-'));
  folders.push(folder);
  return { http: join(folder, 'http.sock'), grpc: join(folder, 'grpc.sock') };
}

async function serve(flags: readonly string[]): Promise<RunningGateway> {
  gateway = await RunningGateway.start(repositoryOf({ m: 'identity_fixed' }), flags);
  return gateway;
}

/** Status and text of a call over a Unix socket. */
function callOver(socketPath: string, path: string, body?: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method: body === undefined ? 'GET' : 'POST' }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.once('error', reject).end(body);
  });
}

/** The gRPC status of `ServerReady`, and its message's bytes. */
function readyOver(socketPath: string): Promise<{ status: unknown; message: Buffer }> {
  return new Promise((resolve, reject) => {
    const session = connect('http://localhost', { createConnection: () => connectTo(socketPath) });
    session.once('error', reject);
    const headers = {
      ':method': 'POST',
      ':path': '/inference.GRPCInferenceService/ServerReady',
      'content-type': 'application/grpc',
      te: 'trailers',
    };
    const stream = session.request(headers);
    const chunks: Buffer[] = [];
    let status: unknown;
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('trailers', (trailers) => {
      status = trailers['grpc-status'];
    });
    stream.on('end', () => {
      session.close();
      resolve({ status, message: Buffer.concat(chunks) });
    });
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
  });
}

const REQUEST = jsonBody({
  model: 'm',
  id: 'u',
  inputs: [tensor('INPUT0', 'FP32', [1, 4], Float32Array.of(1, 2, 3, 4))],
});

describe('Unix sockets', () => {
  it('serve HTTP and gRPC beside the ports, with their permissions, and leave with the server', async () => {
    const { http, grpc } = place();
    const served = await serve([
      '--http-unix-socket',
      http,
      '--grpc-unix-socket',
      grpc,
      '--grpc-unix-socket-mode',
      '600',
    ]);
    const answer = await callOver(http, '/v2/models/m/infer', String(REQUEST));
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ id: 'u', outputs: [{ data: [1, 2, 3, 4] }] });
    expect((await served.call('/v2/health/ready')).status).toBe(200);
    expect(await readyOver(grpc)).toEqual({ status: '0', message: Buffer.from([0, 0, 0, 0, 2, 8, 1]) });
    expect(statSync(http).mode & 0o777).toBe(0o660);
    expect(statSync(grpc).mode & 0o777).toBe(0o600);
    expect(await served.stop()).toBe(0);
    gateway = undefined;
    expect(statSync(http, { throwIfNoEntry: false })).toBeUndefined();
    expect(statSync(grpc, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('answer what came over them before the server ends', async () => {
    const { http } = place();
    const until = join(dirname(http), 'go-on');
    const config = `backend: "script" max_batch_size: 1 instance_group [ { count: 1 kind: KIND_CPU } ] dynamic_batching {}
      parameters { key: "until" value { string_value: "${until}" } }`;
    gateway = await RunningGateway.start(repositoryOf({ held: { fixture: 'held.mjs', config } }), [
      '--http-unix-socket',
      http,
    ]);
    const running = gateway;
    const body = String(jsonBody({ model: 'held', inputs: [tensor('x', 'FP32', [1, 1], Float32Array.of(7))] }));
    const over = Array.from({ length: 3 }, () => callOver(http, '/v2/models/held/infer', body));
    await eventually(
      async () => (await running.metric('penstock_queue_depth', { model: 'held' })) === 2,
      'one runs and two wait',
    );
    const ended = running.stop();
    await eventually(() => running.log.includes('SIGTERM'), 'the server is told to end');
    writeFileSync(until, '');
    expect(await ended).toBe(0);
    gateway = undefined;
    for (const { status, text } of await Promise.all(over))
      expect([status, JSON.parse(text).outputs[0].data]).toEqual([200, [7]]);
    expect(statSync(http, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('take the place of a file that a killed server left', async () => {
    const { http, grpc } = place();
    const flags = ['--http-unix-socket', http, '--grpc-unix-socket', grpc];
    const first = await serve(flags);
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    expect(statSync(http).isSocket()).toBe(true);
    await serve(flags);
    expect((await callOver(http, '/v2/health/live')).status).toBe(200);
    expect((await readyOver(grpc)).status).toBe('0');
  });

  it('are refused where another process listens, and where there is another file', async () => {
    const { http, grpc } = place();
    const other = createServer().listen(http);
    await new Promise((resolve) => {
      other.once('listening', resolve);
    });
    await expect(serve(['--http-unix-socket', http])).rejects.toThrow(`${http}: another process listens there`);
    other.close();
    writeFileSync(grpc, 'precious');
    await expect(serve(['--grpc-unix-socket', grpc])).rejects.toThrow(`${grpc}: there is a file that is no socket`);
    expect(statSync(grpc).size).toBe(8);
  });

  it('are refused where both would have one file, or its folder is not there', async () => {
    const { http } = place();
    await expect(serve(['--http-unix-socket', http, '--grpc-unix-socket', http])).rejects.toThrow('each needs its own');
    await expect(serve(['--http-unix-socket', '/nowhere/a.sock'])).rejects.toThrow('its folder is not there');
    await expect(serve(['--http-unix-socket', http, '--http-unix-socket-mode', 'rw'])).rejects.toThrow('octal');
  });
});
