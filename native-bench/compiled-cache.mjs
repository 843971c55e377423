#!/usr/bin/env node
/**
 * What the cache of compiled models is worth: load time, memory and answers of model files with it and without.
 *
 *   node native-bench/compiled-cache.mjs MODEL.onnx ... [--reloads 20] [--json]
 *
 * A model is opened by a process of its own for each case: `off`, `cold` (an empty cache), `warm` (a second process on the
 * same cache). Ended with 1 where any answer differs in a bit.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    reloads: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
    child: { type: 'string' },
    cache: { type: 'string' },
  },
});

if (values.child !== undefined) {
  console.log(JSON.stringify(await measure(values.child, values.cache, Number(values.reloads))));
  process.exit(0);
}

if (positionals.length === 0) {
  console.error('usage: compiled-cache.mjs MODEL.onnx ... [--reloads 20] [--json]');
  process.exit(2);
}

const results = positionals.map((file) => {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-cache-bench-'));
  try {
    const path = resolve(file);
    const cases = { off: child(path, undefined), cold: child(path, folder), warm: child(path, folder) };
    const equal = new Set(Object.values(cases).map((result) => result.answers)).size === 1;
    return { model: `${basename(dirname(dirname(path)))}/${basename(path)}`, equal, ...cases };
  } finally {
    rmSync(folder, { recursive: true });
  }
});

if (values.json) console.log(JSON.stringify(results, undefined, 2));
else {
  for (const { model, equal, ...cases } of results) {
    console.log(`${model}  answers ${equal ? 'equal bit for bit' : 'DIFFER'}`);
    for (const [name, result] of Object.entries(cases)) {
      console.log(
        `  ${name.padEnd(5)} first load ${result.firstMs.toFixed(0).padStart(5)} ms  reload ${result.reloadMs.toFixed(1).padStart(6)} ms` +
          `  private ${result.privateMb.toFixed(1).padStart(6)} MB  resident ${result.residentMb.toFixed(1).padStart(6)} MB` +
          `  after reloads +${result.afterReloadsMb.toFixed(1)} MB  run ${result.runMs.toFixed(3)} ms`,
      );
    }
  }
}
process.exitCode = results.every((result) => result.equal) ? 0 : 1;

function child(path, cache) {
  const args = [fileURLToPath(import.meta.url), '--child', path, '--reloads', values.reloads];
  if (cache !== undefined) args.push('--cache', cache);
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, UV_THREADPOOL_SIZE: '8' } });
  if (run.status !== 0) throw new Error(`${path} ended with ${run.status ?? run.signal}: ${run.stdout}${run.stderr}`);
  if (run.stderr !== '') process.stderr.write(run.stderr);
  return JSON.parse(run.stdout);
}

async function measure(modelPath, folder, reloads) {
  const { loadOrtLibrary, onnxNativeBackend } = await import('../dist/serving/backend/index.js');
  const { checkOnnxFile } = await import('../dist/models/integrity/index.js');
  const log = { debug() {}, info() {}, warn: (...words) => console.error(...words), error: console.error };
  const clock = { nowNs: () => performance.now() * 1e6, wallMs: Date.now, setTimer: () => ({ clear() {} }) };
  const cache = folder && { folder, maxBytes: 2 ** 40, minModelBytes: 0 };
  const backend = onnxNativeBackend({ log, clock, cache });
  const externalFiles = await checkOnnxFile(modelPath, 'model');
  const request = {
    id: { model: 'bench', version: 1 },
    backend: 'onnxruntime',
    engine: 'native',
    modelPath,
    externalFiles,
    instances: [{ device: 'cpu', deviceId: 0, count: 1 }],
    provider: { onGpuError: 'fail', strict: false, options: {} },
    parameters: {},
    graphLevel: undefined,
    maxExecutionMs: 0,
  };
  loadOrtLibrary();
  const before = memory();
  const [model, firstMs] = await timed(() => backend.open(request));
  const loaded = memory();
  const { runMs, answers } = await run(model);
  await model.close();
  const afterFirst = memory();
  const reloadsMs = [];
  for (let i = 0; i < reloads; i++) {
    const [again, ms] = await timed(() => backend.open(request));
    reloadsMs.push(ms);
    await again.close();
  }
  return {
    firstMs,
    reloadMs: median(reloadsMs),
    privateMb: loaded.privateMb - before.privateMb,
    residentMb: loaded.residentMb - before.residentMb,
    afterReloadsMb: memory().residentMb - afterFirst.residentMb,
    runMs,
    answers,
  };
}

/** Runs the model on the same pseudo-random inputs: median time of a run, and a hash of all answers. */
async function run(model) {
  const side = (tensors) =>
    tensors.map(({ name, dataType, dims, optional }) => ({
      name,
      dataType,
      dims,
      modelDims: dims,
      optional,
      labels: undefined,
    }));
  const { inputs, outputs } = model.signature;
  const spec = { maxBatchSize: 0, inputs: side(inputs), outputs: side(outputs), id: { model: 'bench', version: 1 } };
  const lane = await model.createLane(spec, 0);
  const hash = createHash('sha256');
  const times = [];
  for (let i = 0; i < 20; i++) {
    const batch = {
      version: spec.id,
      rows: 1,
      members: [{ rows: 1, inputs: inputs.map((one, j) => tensor(one, i * 31 + j)) }],
    };
    const started = performance.now();
    await new Promise((settled, failed) => {
      lane.run(batch, (outcome) => {
        if (outcome.kind === 'failed') return failed(outcome.error);
        for (const output of outcome.outputs) hash.update(`${output.name} ${output.shape}`).update(output.data);
        return settled();
      });
    });
    times.push(performance.now() - started);
  }
  await lane.close();
  return { runMs: median(times), answers: hash.digest('hex') };
}

/** Free axes: 2 rows, else 64. Floats in [-1, 1), integers 0 or 1, which masks, types and token ids all allow. */
function tensor({ name, dataType, dims }, seed) {
  const shape = dims.map((dim, axis) => (dim >= 0 ? dim : axis === 0 ? 2 : 64));
  const elements = shape.reduce((product, dim) => product * dim, 1);
  let state = seed * 2654435761 + 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const make = {
    FP32: () => Float32Array.from({ length: elements }, () => next() * 2 - 1),
    FP64: () => Float64Array.from({ length: elements }, () => next() * 2 - 1),
    INT64: () => BigInt64Array.from({ length: elements }, () => BigInt(Math.round(next()))),
    INT32: () => Int32Array.from({ length: elements }, () => Math.round(next())),
    UINT8: () => Uint8Array.from({ length: elements }, () => Math.round(next())),
    BOOL: () => Uint8Array.from({ length: elements }, () => Math.round(next())),
  }[dataType];
  if (make === undefined) throw new Error(`inputs of type ${dataType} are not made here`);
  return { name, dataType, shape, data: new Uint8Array(make().buffer) };
}

async function timed(work) {
  const started = performance.now();
  const result = await work();
  return [result, performance.now() - started];
}

/** `/proc` counts in kB; private = of this process alone, in memory that no file backs. */
function memory() {
  const text = readFileSync('/proc/self/smaps_rollup', 'utf8');
  const of = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]) / 1024;
  return { residentMb: of('Rss'), privateMb: of('Private_Dirty') };
}

function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
