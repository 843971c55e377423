/**
 * Captures requests of a gateway that it starts, and has another reader (pyarrow, in a venv of its own unless PENSTOCK_PYTHON names a
 * Python that has it) read the file: columns, types, and every tensor's elements. Fails where one differs.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const REQUESTS = 2500;
const work = mkdtempSync(join(tmpdir(), 'penstock-capture-check-'));
try {
  const captures = join(work, 'captures');
  await capture(captures);
  const files = readdirSync(captures).map((name) => join(captures, name));
  const script = fileURLToPath(new URL('./read_capture.py', import.meta.url));
  process.stdout.write(execFileSync(python(), [script, String(REQUESTS), ...files], { encoding: 'utf8' }));
} finally {
  rmSync(work, { recursive: true });
}

function python() {
  if (process.env.PENSTOCK_PYTHON) return process.env.PENSTOCK_PYTHON;
  const venv = join(work, 'venv');
  execFileSync('python3', ['-m', 'venv', venv]);
  execFileSync(join(venv, 'bin/pip'), ['install', '--quiet', 'pyarrow', 'numpy']);
  return join(venv, 'bin/python');
}

async function capture(folder) {
  const flags = [
    '--http-port=0',
    '--grpc-port=0',
    '--metrics-port=0',
    `--capture-folder=${folder}`,
    '--capture=digits=100',
  ];
  const args = [join(ROOT, 'dist/cli/penstock.cjs'), 'serve', join(ROOT, 'deploy/examples/models'), ...flags];
  const gateway = spawn(process.execPath, [...args, '--capture-max-bytes-per-second=100000000'], { cwd: work });
  const ended = new Promise((resolve) => gateway.once('exit', resolve));
  const url = await new Promise((resolve, reject) => {
    let out = '';
    gateway.stdout.on('data', (chunk) => {
      out += chunk;
      const match = /HTTP and WebSocket +(http:\S+)[\s\S]*Metrics/.exec(out);
      if (match !== null) resolve(match[1]);
    });
    void ended.then((code) => reject(new Error(`the gateway ended with ${code}`)));
  });
  for (let i = 0; i < REQUESTS; i++) {
    const data = Array.from({ length: 64 }, (_, k) => (i * 64 + k) % 17);
    const inputs = [{ name: 'pixels', datatype: 'FP32', shape: [1, 64], data }];
    const answer = await fetch(`${url}/v2/models/digits/infer`, {
      method: 'POST',
      body: JSON.stringify({ id: String(i), inputs }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    await answer.arrayBuffer();
  }
  gateway.kill('SIGTERM');
  await ended;
}
