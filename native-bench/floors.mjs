/**
 * The floor that figures are compared with: bare onnxruntime-node (`bare-floor.mjs`), which is everywhere, or the native
 * program (`floor/`), which needs Rust's cargo once.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { recordedRequests } from './requests.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const PROGRAM = join(HERE, 'floor/target/release/penstock-floor');

/** The ONNX Runtime library of node_modules: the one that the gateway loads. */
export function onnxRuntimeLibrary() {
  const main = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  const folder = join(dirname(main), 'bin/napi-v6', process.platform, process.arch);
  const file = readdirSync(folder).find((name) => /^libonnxruntime\.(so|[\d.]*dylib)/.test(name));
  if (file === undefined) throw new Error(`no ONNX Runtime in ${folder}`);
  return join(folder, file);
}

/** Builds the native floor; its path, or why there is none. */
export function buildNativeFloor() {
  const cargo = spawnSync('cargo', ['build', '--release', '--locked', '--quiet'], {
    cwd: join(HERE, 'floor'),
    encoding: 'utf8',
  });
  if (cargo.status === 0 && existsSync(PROGRAM)) return { program: PROGRAM };
  return { why: cargo.error ? 'no cargo here' : `cargo build failed: ${cargo.stderr.trim().split('\n').at(-1)}` };
}

/** The requests of each bench model in a file, for this process's time. */
const folder = mkdtempSync(join(tmpdir(), 'penstock-floor-'));
process.once('exit', () => rmSync(folder, { recursive: true }));
const recorded = new Map();

function requestsFile(model) {
  if (!recorded.has(model)) {
    recorded.set(model, join(folder, model));
    writeFileSync(recorded.get(model), recordedRequests(model));
  }
  return recorded.get(model);
}

/** What a floor is asked for a bench model. */
function question({ model, callers, batch, ms }) {
  return { path: join(HERE, 'models', model, '1/model.onnx'), requests: requestsFile(model), callers, batch, ms };
}

/**
 * A floor: `measure({ model, callers, batch, ms })` replays the very requests of the load on a bench model, `callers` of them there at a
 * time, at most `batch` in a run; to `{ itemsPerSecond, p50Us, cpuUsPerItem }`, and `end()`. `under`: a program that runs it, with
 * its options.
 */
export function nativeFloor(program, { under = [] } = {}) {
  const library = onnxRuntimeLibrary();
  return {
    name: 'native floor',
    async measure(asked) {
      const { path, requests, callers, batch, ms } = question(asked);
      const words = ['--library', library, '--model', path, '--requests', requests, '--callers', String(callers)];
      const more = ['--batches', String(batch), '--seconds', String(ms / 1000), '--json'];
      const [first, ...rest] = [...under, program, ...words, ...more];
      const { stdout } = await promisify(execFile)(first, rest);
      return JSON.parse(stdout);
    },
    end() {},
  };
}

/** The floor in onnxruntime-node. */
export function bareFloor({ under = [] } = {}) {
  const [first, ...rest] = [...under, process.execPath, join(HERE, 'bare-floor.mjs')];
  const child = spawn(first, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)));
  child.on('exit', () => {
    for (const { reject } of waiting) reject(new Error('bare-floor.mjs ended'));
  });
  return {
    name: 'bare onnxruntime-node',
    measure: (asked) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(question(asked))}\n`);
      }),
    end: () => child.stdin.end(),
  };
}
