#!/usr/bin/env node
/**
 * Does one model's work starve another's? Latency of a model beside slow models, work on files, compression and loads, as
 * ratios to the same model alone in the same round of the same process, for each carrier of runs.
 *
 *   node native-bench/starvation.mjs [--rounds 3] [--ms 500] [--carriers pool,thread,auto] [--models mlp,trees]
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { measureRound } from '../dist/cli/bench/measure-round.js';
import { median } from '../dist/cli/bench/statistics.js';
import { startGateway } from './gateway-process.mjs';
import { requestsFor, targetOf } from './requests.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    ms: { type: 'string', default: '500' },
    carriers: { type: 'string', default: 'pool,thread,auto' },
    models: { type: 'string', default: 'mlp,trees' },
  },
});
const ROUNDS = Number(options.rounds);
const MS = Number(options.ms);
const VICTIMS = options.models.split(',');
/** More than the pool has threads on a small machine. */
const SLOW_MODELS = 10;

/** A repository with the models under test, and slow ones beside. */
function repository() {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  for (const name of VICTIMS) cpSync(join(HERE, 'models', name), join(folder, name), { recursive: true });
  for (let i = 0; i < SLOW_MODELS; i++) cpSync(join(HERE, 'models/cnn'), join(folder, `slow${i}`), { recursive: true });
  cpSync(join(HERE, 'models/embedder'), join(folder, 'reloaded'), { recursive: true });
  return folder;
}

/** What runs beside the model; each is given the gateway and ends when `stopped` says so. */
const BESIDE = {
  'slow models': async (gateway, others, ms) => {
    const target = targetOf('http', gateway.ports, 'slow0');
    const requests = Array.from(
      { length: SLOW_MODELS },
      (_, i) => requestsFor('cnn', target, { served: `slow${i}`, rows: 8 })[0],
    );
    await others.run({ target, requests, load: { kind: 'closed', concurrency: SLOW_MODELS, ms } });
  },
  files: noise('files'),
  gzip: noise('gzip'),
  loads: async (gateway, _others, ms) => {
    const end = performance.now() + ms;
    while (performance.now() < end) {
      for (const step of ['unload', 'load']) {
        const url = `http://127.0.0.1:${gateway.ports.http}/v2/repository/models/reloaded/${step}`;
        const reply = await fetch(url, { method: 'POST' });
        if (!reply.ok) throw new Error(`${step}: ${reply.status} ${await reply.text()}`);
      }
    }
  },
};

function noise(kind) {
  return async (gateway, _others, ms) => {
    gateway.send({ poolNoise: kind });
    await new Promise((resolve) => setTimeout(resolve, ms));
    gateway.send({ poolNoise: 'none' });
  };
}

const folder = repository();
const carriers = options.carriers.split(',');
const gateways = [];
const generator = startLoadGenerator();
const others = startLoadGenerator();
const seen = new Map();
try {
  for (const carrier of carriers) {
    gateways.push(
      await startGateway({
        repository: folder,
        preload: [join(HERE, 'pool-noise-preload.mjs')],
        flags: [
          '--model-control-mode',
          'explicit',
          '--load-model',
          '*',
          '--backend-config',
          `onnxruntime,carrier=${carrier}`,
        ],
      }),
    );
  }
  for (const gateway of gateways) {
    for (const model of VICTIMS) await latencyOf(gateway, model, 800);
    await BESIDE['slow models'](gateway, others, 500);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const kind of Object.keys(BESIDE)) {
      for (const model of VICTIMS) {
        for (const i of round % 2 === 0 ? gateways.keys() : [...gateways.keys()].reverse()) await once(i, kind, model);
      }
    }
  }
  report();
} finally {
  generator.end();
  others.end();
  for (const gateway of gateways) await gateway.stop();
  rmSync(folder, { recursive: true });
}

async function latencyOf(gateway, model, ms) {
  const target = targetOf('http', gateway.ports, model);
  const job = { target, requests: requestsFor(model, target), load: { kind: 'closed', concurrency: 1, ms } };
  return (await measureRound(generator, job, gateway.cpuUs)).figures;
}

async function once(i, kind, model) {
  const gateway = gateways[i];
  const alone = await latencyOf(gateway, model, MS);
  const work = BESIDE[kind](gateway, others, MS + 300);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const beside = await latencyOf(gateway, model, MS);
  await work;
  const key = `${kind}|${model}|${carriers[i]}`;
  if (!seen.has(key)) seen.set(key, []);
  seen.get(key).push({ alone, beside });
}

function report() {
  console.log('beside       model  carrier   alone p50/p99 us   beside p50/p99 us   ratio p50    p99   errors');
  for (const [key, rounds] of seen) {
    const [kind, model, carrier] = key.split('|');
    const of = (pick) => median(rounds.map(pick));
    const ratio = (figure) => of(({ alone, beside }) => beside[figure] / alone[figure]).toFixed(1);
    const us = (side) => `${of((r) => r[side].p50Us).toFixed(0)} / ${of((r) => r[side].p99Us).toFixed(0)}`;
    const errors = rounds.reduce((sum, { alone, beside }) => sum + alone.errors + beside.errors, 0);
    console.log(
      `${kind.padEnd(12)} ${model.padEnd(6)} ${carrier.padEnd(8)} ${us('alone').padStart(16)} ${us('beside').padStart(19)} ${ratio('p50Us').padStart(11)} ${ratio('p99Us').padStart(6)} ${String(errors).padStart(8)}`,
    );
  }
}
