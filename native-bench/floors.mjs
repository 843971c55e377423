/**
 * The floor that figures are compared with: bare onnxruntime-node (`bare-floor.mjs`), which is everywhere, or the native
 * program (`floor/`), which needs Rust's cargo once.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

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

/** A floor: `measure({ model, length, batch, ms })` to `{ itemsPerSecond, p50Us, cpuUsPerItem }`, and `end()`. */
export function nativeFloor(program) {
  const library = onnxRuntimeLibrary();
  return {
    name: 'native floor',
    async measure({ model, length, batch, ms }) {
      const words = ['--library', library, '--model', model, '--batches', String(batch), '--length', String(length)];
      const { stdout } = await promisify(execFile)(program, [...words, '--seconds', String(ms / 1000), '--json']);
      return JSON.parse(stdout);
    },
    end() {},
  };
}

/** The floor in onnxruntime-node. */
export function bareFloor() {
  const child = spawn(process.execPath, [join(HERE, 'bare-floor.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
  const waiting = [];
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)));
  child.on('exit', () => {
    for (const { reject } of waiting) reject(new Error('bare-floor.mjs ended'));
  });
  return {
    name: 'bare onnxruntime-node',
    measure: (question) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        child.stdin.write(`${JSON.stringify(question)}\n`);
      }),
    end: () => child.stdin.end(),
  };
}
