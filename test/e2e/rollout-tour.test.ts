import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROGRAM } from '../support/gateway-process.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

const PAGE = fileURLToPath(new URL('../../src/delivery/ROLLOUTS.md', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../deploy/examples/', import.meta.url));

/** Fenced blocks of the page with what stands behind their fence. */
const BLOCKS = [...readFileSync(PAGE, 'utf8').matchAll(/^```(\w+) ?([^\n]*)\n([\s\S]*?)^```$/gm)].map(
  ([, language, name, text]) => ({ language: language!, name: name!, text: text! }),
);

let folder: string;
let gateway: RunningGateway;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-tour-'));
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'penstock'), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`);
  chmodSync(join(bin, 'penstock'), 0o755);
  cpSync(join(EXAMPLES, 'samples'), join(folder, 'samples'), { recursive: true });
  env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  delete env.PENSTOCK_TOKEN;
});

afterAll(async () => {
  stopAll();
  await gateway?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a block as somebody would who pastes it, with the ports that the gateway has here. */
function bash(text: string): Promise<{ readonly code: number | null; readonly out: string }> {
  const child = spawn('bash', ['-ec', text], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let out = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      out += chunk;
    });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out })));
}
const children: ChildProcess[] = [];

describe('the tour of rollouts', () => {
  it('does what it says, block by block', async () => {
    let load: ReturnType<typeof bash> | undefined;
    let watched = '';
    for (const { language, name, text } of BLOCKS) {
      if (language === 'yaml') writeFileSync(join(folder, name), text);
      else if (name === 'server') await serve(text);
      else if (name === 'load') load = bash(`exec ${text.trim().replace(':8000', `:${gateway.httpPort}`)}`);
      else {
        const { code, out } = await bash(text);
        expect(code, `${text}\n${out}`).toBe(0);
        if (text.includes('watch')) watched = out;
        const token = join(folder, 'ann.token');
        if (existsSync(token)) env.PENSTOCK_TOKEN = readFileSync(token, 'utf8').trim();
      }
    }
    expect(watched).toMatch(/shadowing.*progressing.*progressing.*promoting.*promoted/s);
    expect(readFileSync(join(folder, 'digits.md'), 'utf8')).toContain('# Rollout digits-v2: promoted');
    stopAll();
    await load;
  }, 150_000);
});

/** The load goes on for longer than the tour takes. */
function stopAll(): void {
  for (const child of children) if (child.exitCode === null) child.kill();
}

async function serve(text: string): Promise<void> {
  const flags = text.trim().split(' ').slice(3);
  const models = repositoryOf({});
  cpSync(join(EXAMPLES, 'models'), models.path, { recursive: true });
  const own = flags.map((flag) => (flag === '8003' ? '0' : flag === 'tokens.yaml' ? join(folder, flag) : flag));
  gateway = await RunningGateway.start(models, own);
  env.PENSTOCK_ADMIN_URL = `http://127.0.0.1:${gateway.adminPort}`;
}
