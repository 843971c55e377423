import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type * as Client from '../../src/client/index.js';
import { compiled } from '../support/compiled.js';
import { PROGRAM } from '../support/gateway-process.js';
import { refusedStart } from '../support/refused-start.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const { PenstockClient } = await compiled<typeof Client>('client/index.js');

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}`, import.meta.url));
const pem = (name: string) => readFileSync(fixture(name));
const KEYS = [`--http-tls-cert-file=${fixture('server.pem')}`, `--http-tls-key-file=${fixture('server.key')}`];
const MUTUAL = [...KEYS, `--http-tls-client-ca-file=${fixture('ca.pem')}`];
const ca = pem('ca.pem');
const shown = { ca, cert: pem('client.pem'), key: pem('client.key') };

let gateway: RunningGateway | undefined;
const folders: string[] = [];

afterEach(async () => {
  const code = await gateway?.stop();
  gateway = undefined;
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  expect(code ?? 0).toBe(0);
});

async function serve(flags: readonly string[]): Promise<RunningGateway> {
  gateway = await RunningGateway.start(repositoryOf({ m: 'identity_fixed' }), flags);
  return gateway;
}

const urlOf = ({ httpPort }: RunningGateway) => `https://localhost:${httpPort}`;
const INPUTS = { INPUT0: { shape: [1, 4], data: new Float32Array([1, 2, 3, 4]) } };
const OUTPUT = [1, 2, 3, 4];

async function inferred(client: Client.PenstockClient): Promise<number[]> {
  return numbersOf(await client.infer('m', INPUTS));
}

const numbersOf = ({ outputs }: Client.InferAnswer) => [...(outputs.OUTPUT0!.data as Float32Array)];

/** The name in the certificate that new connections to a port get. */
async function servedName(port: number, protocols: string[] = []): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: protocols });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
    });
    return String(socket.getPeerCertificate().subject.CN);
  } finally {
    socket.destroy();
  }
}

/** Status of `GET /v2/health/ready` on a connection of `agent`'s, and which socket that was. */
function ready(port: number, agent: Agent): Promise<{ status: number; socket: TLSSocket }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: 'localhost', port, path: '/v2/health/ready', agent }, (answer) => {
      const socket = answer.socket as TLSSocket;
      answer.resume().once('end', () => resolve({ status: answer.statusCode ?? 0, socket }));
    });
    sent.once('error', reject).end();
  });
}

/** The fixtures' keys in a folder of their own, as settings that a test may replace. */
function ownFiles(): { folder: string; put: (name: 'server' | 'client') => void } {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-tls-'));
  folders.push(folder);
  const put = (name: 'server' | 'client'): void => {
    for (const [from, to] of [
      [`${name}.pem`, 'cert.pem'],
      [`${name}.key`, 'key.pem'],
    ] as const) {
      copyFileSync(fixture(from), join(folder, 'new'));
      renameSync(join(folder, 'new'), join(folder, to));
    }
  };
  put('server');
  return { folder, put };
}

describe('HTTPS and WSS', () => {
  it('serve what HTTP and WebSocket do, and nothing in the clear', async () => {
    const running = await serve(KEYS);
    const client = new PenstockClient(urlOf(running), { tls: { ca } });
    expect(await client.ready()).toBe(true);
    expect(await inferred(client)).toEqual(OUTPUT);
    const stream = client.openStream('m');
    const answers = await Promise.all(Array.from({ length: 20 }, () => stream.infer(INPUTS)));
    expect(answers).toHaveLength(20);
    await stream.close();
    await expect(fetch(`http://127.0.0.1:${running.httpPort}/v2`)).rejects.toThrow();
    await expect(fetch(`${urlOf(running)}/v2`)).rejects.toThrow();
    expect(await running.metric('penstock_requests_total', { model: 'm', reason: 'OK' })).toBe(21);
  });

  it('answer bodies larger than a record of TLS, both ways', async () => {
    gateway = await RunningGateway.start(repositoryOf({ bytes: 'identity_uint8' }), KEYS);
    const data = new Uint8Array(3_000_000).map((_, i) => i % 251);
    const client = new PenstockClient(urlOf(gateway), { tls: { ca } });
    const { outputs } = await client.infer('bytes', { INPUT0: { shape: [1, data.length], data } });
    expect(Buffer.compare(outputs.OUTPUT0?.data as Uint8Array, data)).toBe(0);
  });

  it('take only clients with a certificate where an authority of clients is named', async () => {
    const running = await serve(MUTUAL);
    const known = new PenstockClient(urlOf(running), { tls: shown });
    const stream = known.openStream('m');
    expect(numbersOf(await stream.infer(INPUTS))).toEqual(OUTPUT);
    await stream.close();
    expect(await inferred(known)).toEqual(OUTPUT);
    const nobody = new PenstockClient(urlOf(running), { tls: { ca } });
    await expect(inferred(nobody)).rejects.toMatchObject({ status: 401, reason: 'UNAUTHENTICATED' });
    await expect(nobody.serverMetadata()).rejects.toMatchObject({ status: 401 });
    await expect(nobody.openStream('m').infer(INPUTS)).rejects.toThrow();
    // Of nobody's authority: the handshake fails.
    const tls = { ca, cert: pem('stranger.pem'), key: pem('stranger.key') };
    const stranger = new PenstockClient(urlOf(running), { tls });
    await expect(stranger.serverMetadata()).rejects.toMatchObject({ status: 0, reason: 'UNREACHABLE' });
    expect(await inferred(known)).toEqual(OUTPUT);
  });

  it('follow their files: new connections get the new certificate, old ones and their streams go on', async () => {
    const { folder, put } = ownFiles();
    const flags = ['http-tls-cert-file', 'grpc-server-cert'].map((flag) => `--${flag}=${join(folder, 'cert.pem')}`);
    const keys = ['http-tls-key-file', 'grpc-server-key'].map((flag) => `--${flag}=${join(folder, 'key.pem')}`);
    const running = await serve(['--grpc-use-ssl=true', ...flags, ...keys]);
    const { httpPort, grpcPort } = running;
    const names = async () => [await servedName(httpPort), await servedName(grpcPort, ['h2'])];
    expect(await names()).toEqual(['server', 'server']);
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca });
    const { socket } = await ready(httpPort, agent);
    const stream = new PenstockClient(urlOf(running), { tls: { ca } }).openStream('m');
    await stream.infer(INPUTS);

    put('client');
    await eventually(async () => (await names()).join() === 'client,client', 'the new certificate');
    const again = await ready(httpPort, agent);
    expect(again).toMatchObject({ status: 200 });
    expect(again.socket).toBe(socket);
    expect(numbersOf(await stream.infer(INPUTS))).toEqual(OUTPUT);

    writeFileSync(join(folder, 'key.pem'), 'no key');
    await eventually(() => /HTTP: the TLS files changed and cannot be used/.test(running.log), 'a word in the log');
    expect(running.log).toMatch(/key\.pem' holds no private key in PEM/);
    expect(await names()).toEqual(['client', 'client']);
    put('server');
    await eventually(async () => (await names()).join() === 'server,server', 'the certificate of before');
    await stream.close();
    agent.destroy();
  });

  it('drain as HTTP does: a connection that is kept alive hears of it, a WebSocket is closed', async () => {
    const running = await serve(KEYS);
    const agent = new Agent({ keepAlive: true, ca });
    await ready(running.httpPort, agent);
    const stream = new PenstockClient(urlOf(running), { tls: { ca } }).openStream('m');
    await stream.infer(INPUTS);
    const code = await running.stop();
    gateway = undefined;
    expect(code).toBe(0);
    await expect(stream.infer(INPUTS)).rejects.toThrow();
    agent.destroy();
  });

  it.each([
    [['--http-tls-cert-file=/none'], /http\.tls: TLS needs certFile and keyFile/],
    [
      [KEYS[0] as string, `--http-tls-key-file=${fixture('client.key')}`],
      /http\.tls\.keyFile: '.*client\.key' is not the key of the first certificate in '.*server\.pem'/,
    ],
  ])('refuse to start with %j', (flags, why) => {
    const { status, stderr } = refusedStart(flags);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(why);
  });
});

describe('the command line over HTTPS', () => {
  it('asks a gateway by its certificate, shows one where it is wanted, and says what is wrong', async () => {
    const url = urlOf(await serve(MUTUAL));
    const models = (flags: readonly string[], env: NodeJS.ProcessEnv = {}) =>
      spawnSync(process.execPath, [PROGRAM, 'models', '--url', url, ...flags], {
        encoding: 'utf8',
        env: { ...process.env, ...env },
      });
    const own = ['--cert-file', fixture('client.pem'), '--key-file', fixture('client.key')];
    expect(models(['--ca-file', fixture('ca.pem'), ...own]).stdout).toMatch(/^m +1 +READY/m);
    const env = { PENSTOCK_CA_FILE: fixture('ca.pem') };
    expect(models(own, env).stdout).toMatch(/^m +1 +READY/m);
    expect(models([], env).stderr).toMatch(/refuses: this port takes clients with a certificate only/);
    expect(models(own).stderr).toMatch(/--ca-file/);
    expect(models(['--ca-file', '/none']).stderr).toMatch(/--ca-file: \/none cannot be read \(ENOENT\)/);
    // Six processes, one after another.
  }, 60_000);
});
