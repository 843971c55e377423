/**
 * The Parquet files of a payload log, read by another reader. Starts a gateway with a payload log whose files are rotated by size, asks it
 * over HTTP, stops it, and has pyarrow read all files: types of columns, every row once, every tensor's elements, redaction, traces.
 *
 * Alone: `node test/observability/payload-log-reader.mjs`, exit code 1 where anything differs. From another script:
 * `import { checkPayloadLogFiles } from './payload-log-reader.mjs'; console.log(await checkPayloadLogFiles(python))`, which throws then;
 * `python` has `payload-log-requirements.txt`; without one, PENSTOCK_PYTHON names it, or a venv is made for it. Needs `npm run build`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ANSWERED = 600;
const FAILED = 20;

/** What the reader says, in a line. */
export async function checkPayloadLogFiles(python = process.env.PENSTOCK_PYTHON) {
  const work = mkdtempSync(join(tmpdir(), 'penstock-payload-reader-'));
  try {
    const folder = join(work, 'log');
    await log(work);
    const names = readdirSync(folder);
    const strange = names.filter((name) => !/^payload-\d{8}T\d{9}Z-\d+-\d+\.parquet$/.test(name));
    if (strange.length > 0 || names.length < 5)
      throw new Error(`not the files that were expected: ${names.join(', ')}`);
    const script = fileURLToPath(new URL('./read_payload_log.py', import.meta.url));
    const args = [script, String(ANSWERED), String(FAILED), folder];
    return execFileSync(python ?? ownPython(work), args, { encoding: 'utf8' }).trim();
  } finally {
    rmSync(work, { recursive: true });
  }
}

function ownPython(work) {
  const venv = join(work, 'venv');
  execFileSync('python3', ['-m', 'venv', venv]);
  const requirements = fileURLToPath(new URL('./payload-log-requirements.txt', import.meta.url));
  execFileSync(join(venv, 'bin/pip'), ['install', '--quiet', '-r', requirements]);
  return join(venv, 'bin/python');
}

async function log(work) {
  const headers = ['user-agent', 'authorization'];
  const redact = { maskHeaders: ['authorization'], maskParameters: ['user'] };
  const payloadLog = {
    models: [{ model: 'digits', headers, redact }],
    parquet: [{ name: 'files', folder: 'log', fileBytes: 64 * 1024 }],
  };
  writeFileSync(
    join(work, 'penstock.yaml'),
    JSON.stringify({ payloadLog, cost: { devices: { cpu: { market: 0.4 } } } }),
  );
  const flags = ['--http-port=0', '--grpc-port=0', '--metrics-port=0', '--state-dir=off'];
  const args = [join(ROOT, 'dist/cli/penstock.cjs'), 'serve', join(ROOT, 'deploy/examples/models'), ...flags];
  const gateway = spawn(process.execPath, [...args, '--config', join(work, 'penstock.yaml')], { cwd: work });
  const ended = new Promise((resolve) => gateway.once('exit', resolve));
  try {
    const url = await new Promise((resolve, reject) => {
      let out = '';
      gateway.stderr.on('data', () => {});
      gateway.stdout.on('data', (chunk) => {
        out += chunk;
        const match = /HTTP and WebSocket +(http:\S+)[\s\S]*Metrics/.exec(out);
        if (match !== null) resolve(match[1]);
      });
      void ended.then((code) => reject(new Error(`the gateway ended with ${code}`)));
    });
    for (let i = 0; i < ANSWERED; i += 10) await Promise.all(Array.from({ length: 10 }, (_, k) => ask(url, i + k)));
    for (let i = 0; i < FAILED; i++) await ask(url, ANSWERED + i, []);
  } finally {
    gateway.kill('SIGTERM');
    await ended;
  }
}

async function ask(url, number, inputs = inputsOf(number)) {
  const answer = await fetch(`${url}/v2/models/digits/infer`, {
    method: 'POST',
    headers: {
      'user-agent': 'check',
      authorization: 'Bearer secret',
      'x-penstock-tenant': 'acme',
      traceparent: `00-${(number + 1).toString(16).padStart(32, '0')}-b7ad6b7169203331-01`,
    },
    body: JSON.stringify({ id: String(number), parameters: { user: 'me' }, inputs }),
  });
  const text = await answer.text();
  if (answer.status !== (number < ANSWERED ? 200 : 400)) throw new Error(text);
}

function inputsOf(number) {
  const data = Array.from({ length: 64 }, (_, k) => (number * 64 + k) % 17);
  return [{ name: 'pixels', datatype: 'FP32', shape: [1, 64], data }];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(`${await checkPayloadLogFiles()}\n`);
