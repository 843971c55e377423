#!/usr/bin/env node
/**
 * Does a device's time split as each model's own requests would have it? Models are asked alone and together on one device, by turns,
 * one request of each at a time, so that no two requests share an execution; each answer says its device time (`x-penstock-device-ms`).
 *
 * - `turns`: one execution at a time on the device (`--max-device-executions 1`). A request takes the device alone for as long as
 *   it runs, so its time has to be the same together as alone. Error: relative difference of the medians.
 * - `overlap`: executions run side by side, each instant shared by those that run. Times are shorter then than alone, all in the same
 *   measure if the split is fair: a model's part of the time that all had has to be as its requests alone would have it. Error:
 *   relative difference of a model's part and the part expected from its time alone.
 *
 * Real models contend for caches and cores with each other and with other programs, which is in the error; `timed` ones only wait.
 *
 *   node test/observability/split-error.mjs [--models timed|real] [--mode turns|overlap] [--seconds N] [--json]     exit code 1 above 5 %
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startGateway } from '../../native-bench/gateway-process.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const LIMIT = 0.05;
const ROUNDS = 5;

/** Curves in ms, far apart. */
const TIMED = { short: '40,0', middle: '90,0', long: '200,0' };
/** Of `native-bench/models`. */
const REAL = ['cnn', 'embedder'];

/** Milliseconds of device time of each request, by model, while all of `models` are asked for `ms`. */
async function deviceTimes(port, agent, models, ms) {
  const until = performance.now() + ms;
  const seen = new Map();
  await Promise.all(
    models.map(async ({ model, body }) => {
      const times = [];
      seen.set(model, times);
      while (performance.now() < until) times.push(await deviceMs(port, agent, model, body));
    }),
  );
  return seen;
}

function deviceMs(port, agent, model, body) {
  return new Promise((resolve, reject) => {
    const headers = { 'x-penstock-explain': 'true', 'content-type': 'application/json', 'content-length': body.length };
    const path = `/v2/models/${model}/infer`;
    const sent = request({ host: '127.0.0.1', port, path, method: 'POST', headers, agent }, (answer) => {
      answer.resume();
      answer.once('end', () => {
        if (answer.statusCode === 200) resolve(Number(answer.headers['x-penstock-device-ms']));
        else reject(new Error(`${model}: status ${answer.statusCode}`));
      });
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

function timedRepository(folder) {
  const config = `max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 2 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 2 ] } ]
instance_group [ { count: 1 kind: KIND_CPU } ]
`;
  for (const [model, curve] of Object.entries(TIMED)) {
    mkdirSync(join(folder, model, '1'), { recursive: true });
    writeFileSync(join(folder, model, 'config.pbtxt'), config);
    writeFileSync(join(folder, model, '1/curve.txt'), `${curve}\n`);
  }
  return folder;
}

/** A request of a model of one row, as its metadata has its inputs. */
async function bodyOf(port, model) {
  const { inputs } = await (await fetch(`http://127.0.0.1:${port}/v2/models/${model}`)).json();
  const filled = inputs.map(({ name, datatype, shape }) => {
    const sizes = shape.map((size, axis) => (size === -1 ? (axis === 0 ? 1 : 32) : size));
    const count = sizes.reduce((a, b) => a * b, 1);
    const data = Array.from({ length: count }, (_, i) => (datatype.startsWith('FP') ? (i % 7) / 7 : 1));
    return { name, datatype, shape: sizes, data };
  });
  return Buffer.from(JSON.stringify({ inputs: filled }));
}

/**
 * The error of the split, by model.
 * @param {{ models?: 'timed' | 'real', mode?: 'turns' | 'overlap', seconds?: number }} options
 * @returns {Promise<{ mode: string, models: { model: string, aloneMs: number, togetherMs: number, requests: number, error: number }[], worst: number }>}
 */
export async function splitError({ models = 'timed', mode = 'turns', seconds = 20 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-split-'));
  const timed = models === 'timed';
  const repository = timed ? timedRepository(folder) : join(ROOT, 'native-bench/models');
  const flags = ['--max-device-executions', mode === 'turns' ? '1' : '0', '--ingress-threads', '0'];
  const gateway = await startGateway({ repository, flags });
  const agent = new Agent({ keepAlive: true });
  try {
    const port = gateway.ports.http;
    const asked = [];
    for (const model of timed ? Object.keys(TIMED) : REAL) asked.push({ model, body: await bodyOf(port, model) });
    // Kernels, connections and code are warm afterwards.
    await deviceTimes(port, agent, asked, 500);
    const alone = new Map(asked.map(({ model }) => [model, []]));
    const together = new Map(asked.map(({ model }) => [model, []]));
    const part = (seconds * 1000) / ROUNDS / (asked.length + 1);
    for (let round = 0; round < ROUNDS; round++) {
      for (const one of asked)
        for (const [model, times] of await deviceTimes(port, agent, [one], part)) alone.get(model).push(...times);
      for (const [model, times] of await deviceTimes(port, agent, asked, part)) together.get(model).push(...times);
    }
    return { mode, ...errors(mode, alone, together) };
  } finally {
    agent.destroy();
    await gateway.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function errors(mode, alone, together) {
  const rows = [...alone].map(([model, times]) => {
    const shared = together.get(model);
    return { model, aloneMs: middle(times), togetherMs: middle(shared), requests: shared.length, all: sum(shared) };
  });
  const all = sum(rows.map((row) => row.all));
  const expected = sum(rows.map(({ aloneMs, requests }) => aloneMs * requests));
  const models = rows.map(({ all: own, ...row }) => {
    const error =
      mode === 'turns' ? row.togetherMs / row.aloneMs - 1 : own / all / ((row.aloneMs * row.requests) / expected) - 1;
    return { ...row, error };
  });
  return { models, worst: Math.max(...models.map(({ error }) => Math.abs(error))) };
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

function middle(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      models: { type: 'string' },
      mode: { type: 'string' },
      seconds: { type: 'string', default: '20' },
      json: { type: 'boolean' },
    },
  });
  const found = await splitError({ models: values.models, mode: values.mode, seconds: Number(values.seconds) });
  if (values.json) console.log(JSON.stringify(found, undefined, 2));
  else
    for (const { model, aloneMs, togetherMs, requests, error } of found.models)
      console.log(
        `${model.padEnd(10)} ${aloneMs.toFixed(3)} ms alone, ${togetherMs.toFixed(3)} ms together (${requests} requests), error ${(error * 100).toFixed(2)} %`,
      );
  process.exitCode = found.worst > LIMIT ? 1 : 0;
}
