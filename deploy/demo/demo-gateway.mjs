/** A gateway of the demo on free ports, with an admin API, and `penstock` commands that talk to it. */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeDemoRepository } from './demo-models.mjs';

const PENSTOCK = join(dirname(fileURLToPath(import.meta.url)), '../../dist/cli/penstock.cjs');
const READY_WITHIN_MS = 60_000;

/** Starts it on a repository of its own, in a folder that goes with it. `prepare(repository)` may add to it before. */
export async function startDemoGateway(prepare = () => {}) {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-demo-'));
  const repository = join(folder, 'models');
  mkdirSync(repository);
  writeDemoRepository(repository);
  prepare(repository);
  const tokens = join(folder, 'tokens.yaml');
  const token = await made(tokens);
  const [http, admin] = await freePorts(2);
  const child = spawn(
    process.execPath,
    [
      ...[PENSTOCK, 'serve', repository, '--http-port', http, '--admin-port', admin, '--tokens-file', tokens],
      ...['--allow-grpc=false', '--allow-metrics=false', '--state-dir', join(folder, 'state')],
      ...['--model-control-mode', 'explicit', '--load-model', '*'],
    ].map(String),
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let log = '';
  child.stdout.on('data', (chunk) => (log = (log + chunk).slice(-20_000)));
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-20_000)));
  const ended = new Promise((resolve) => child.once('exit', (code) => resolve(code)));
  const startedAt = performance.now();
  while (!(await isReady(http))) {
    if (child.exitCode !== null || performance.now() - startedAt > READY_WITHIN_MS) {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
      throw new Error(`the gateway did not get ready:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const surroundings = { PENSTOCK_ADMIN_URL: `http://127.0.0.1:${admin}`, PENSTOCK_TOKEN: token };
  return {
    http,
    repository,
    /** A command of the admin API; resolves to `{ code, json }`. */
    command: (...words) => penstock([...words, '--json'], surroundings),
    /** Loads what is new in the folder of a model. */
    load: (model) => asked('POST', `http://127.0.0.1:${http}/v2/repository/models/${model}/load`, token, '{}'),
    /** Posts labels; resolves to what became of them. */
    feedback: (items) => asked('POST', `http://127.0.0.1:${http}/v2/feedback`, token, JSON.stringify(items)),
    /** In force when it resolves. */
    setFlag: (model, flag, on) =>
      asked('PUT', `http://127.0.0.1:${admin}/v2/admin/routes/${model}/flags/${flag}`, token, JSON.stringify({ on })),
    /** Asks one version for its answer to one request. */
    ask: async (model, version, body) =>
      (
        await fetch(`http://127.0.0.1:${http}/v2/models/${model}/versions/${version}/infer`, {
          method: 'POST',
          body: JSON.stringify(body),
        })
      ).text(),
    /** Drains it; resolves to its exit code. */
    async stop() {
      child.kill('SIGTERM');
      const code = await ended;
      rmSync(folder, { recursive: true });
      return code;
    },
  };
}

async function made(tokens) {
  const scopes = ['feedback', 'rollout', 'admin'].flatMap((scope) => ['--scope', scope]);
  const { code, json } = await penstock(['token', 'create', '--name', 'demo', ...scopes, '--file', tokens, '--json']);
  if (code !== 0) throw new Error('no token could be made');
  return json.token;
}

function penstock(words, surroundings = {}) {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [PENSTOCK, ...words],
      { maxBuffer: 64 * 1024 * 1024, env: { ...process.env, ...surroundings } },
      (error, out, err) => {
        const code = error === null ? 0 : error.code;
        if (typeof code !== 'number') return reject(error);
        try {
          resolve({ code, json: out === '' ? undefined : JSON.parse(out), err });
        } catch {
          reject(new Error(`penstock ${words.join(' ')}: ${out}${err}`));
        }
      },
    );
  });
}

async function asked(method, url, token, body) {
  const reply = await fetch(url, { method, headers: { authorization: `Bearer ${token}` }, body });
  const text = await reply.text();
  if (!reply.ok) throw new Error(`${url}: ${reply.status} ${text}`);
  return JSON.parse(text);
}

function isReady(port) {
  return fetch(`http://127.0.0.1:${port}/v2/health/ready`).then(
    (reply) => reply.ok,
    () => false,
  );
}

async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
