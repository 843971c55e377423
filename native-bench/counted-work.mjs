/**
 * What a request costs a gateway in things that can be counted, so that other load on the machine does not blur them: bytes
 * allocated on the JavaScript heap, bytes copied by JavaScript, and instructions (under valgrind, where that is installed).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { median } from '../dist/cli/bench/statistics.js';
import { startGateway } from './gateway-process.mjs';
import { requestsFor, targetOf } from './requests.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const PROBE = join(HERE, 'work-probe.mjs');
const FOREVER_MS = 120_000;
/** A burst in which garbage was collected tells nothing of what was allocated: it is repeated, shorter. */
const CLEAN_BURSTS = 3;
const MOST_BURSTS = 12;
/** Requests between which the young heap is collected some ten times. */
const AGED_BURST = 12_000;
/** Instructions of bursts in which nothing but requests was worked on differ by no more. */
const ALIKE = 0.02;
/** So large that thousands of requests fit between two collections. */
const YOUNG_HEAP_FLAGS = ['--min-semi-space-size=128', '--max-semi-space-size=256'];
/** No compiling or collecting threads, and the same seeds: runs differ in little but the order of arrivals. */
const ALIKE_FLAGS = ['--single-threaded', '--hash-seed=1', '--random-seed=1'];

function loadOf({ model, protocol, concurrency, format }, ports) {
  const target = targetOf(protocol, ports, model);
  const requests = requestsFor(model, target, { format });
  return (count) => ({ target, requests, load: { kind: 'closed', concurrency, ms: FOREVER_MS, requests: count } });
}

async function answered(generator, job, name) {
  const { answers, errors, firstError } = await generator.run(job);
  if (errors > 0) throw new Error(`${name}: ${firstError}`);
  return answers;
}

/** Grows of the sums over all threads, divided by requests, between two readings of the probe. */
function perRequest(before, after, requests) {
  const grown = (key) => sum(after, key) - sum(before, key);
  return {
    collections: grown('collections'),
    fullCollections: grown('fullCollections'),
    oldBytes: grown('oldBytes') / requests,
    heapBytes: grown('heapBytes') / requests,
    bufferBytes: grown('bufferBytes') / requests,
    copiedBytes: grown('copiedBytes') / requests,
  };
}

function sum(threads, key) {
  return threads.reduce((total, thread) => total + thread[key], 0);
}

/**
 * Heap bytes allocated for each request of each scenario: what is used after a burst more than before it, where none was collected
 * in between. With `copies`, bytes copied instead; what a process does while they are counted allocates more.
 * @returns {Promise<Map<string, number>>} by name of the scenario
 */
export async function allocatedOrCopied(scenarios, launch, { copies = false } = {}) {
  const generator = startLoadGenerator();
  const gateway = await startGateway({
    ...launch,
    nodeFlags: YOUNG_HEAP_FLAGS,
    preload: [PROBE, ...(launch.preload ?? [])],
    env: { ...launch.env, ...(copies ? { BENCH_COUNT_COPIES: '1' } : {}) },
  });
  const found = new Map();
  try {
    for (const scenario of scenarios) {
      const { name, warmUp, burst } = scenario;
      const load = loadOf(scenario, gateway.ports);
      await answered(generator, load(warmUp), name);
      const clean = [];
      let count = burst;
      for (let i = 0; i < MOST_BURSTS && clean.length < CLEAN_BURSTS; i++) {
        const before = await gateway.work();
        const answers = await answered(generator, load(count), name);
        const seen = perRequest(before, await gateway.work(), answers);
        if (copies) clean.push(seen.copiedBytes);
        else if (seen.collections === 0) clean.push(seen.heapBytes);
        else count = Math.max(scenario.concurrency, Math.ceil(count / 2));
      }
      if (clean.length === 0) throw new Error(`${name}: garbage was collected in each of ${MOST_BURSTS} bursts`);
      found.set(name, Math.round(median(clean)));
    }
  } finally {
    generator.end();
    await gateway.stop();
  }
  return found;
}

/**
 * Bytes of each request that outlive it on the old heap, until a full collection: what a burst leaves there, after all that the gateway
 * holds was made old. Only what is reachable from something old and dead, as a table or a list that was given up, is left in that way.
 * @returns {Promise<Map<string, number>>} by name of the scenario
 */
export async function aged(scenarios, launch) {
  const generator = startLoadGenerator();
  const gateway = await startGateway({
    ...launch,
    nodeFlags: ['--expose-gc'],
    preload: [PROBE, ...(launch.preload ?? [])],
  });
  const found = new Map();
  try {
    for (const scenario of scenarios) {
      const { name, warmUp } = scenario;
      const load = loadOf(scenario, gateway.ports);
      await answered(generator, load(warmUp), name);
      const clean = [];
      for (let i = 0; i < MOST_BURSTS && clean.length < CLEAN_BURSTS; i++) {
        await gateway.age();
        const before = await gateway.work();
        const answers = await answered(generator, load(AGED_BURST), name);
        const seen = perRequest(before, await gateway.work(), answers);
        if (seen.fullCollections === 0) clean.push(seen.oldBytes);
      }
      if (clean.length === 0) throw new Error(`${name}: all garbage was collected in each of ${MOST_BURSTS} bursts`);
      found.set(name, Math.max(0, Math.round(median(clean))));
    }
  } finally {
    generator.end();
    await gateway.stop();
  }
  return found;
}

/** Why instructions cannot be counted here; undefined where they can. */
export function whyNoInstructions() {
  const { error, status } = spawnSync('callgrind_control', ['--version']);
  return error === undefined && status === 0 ? undefined : 'valgrind is not installed';
}

/**
 * Instructions that the gateway's process takes for each request, in user mode, by valgrind's callgrind: the same whatever else
 * the machine does. System calls count as one instruction; what the kernel does is not seen.
 */
export async function instructions(scenarios, launch) {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-callgrind-'));
  const generator = startLoadGenerator();
  const out = join(folder, 'out');
  const gateway = await startGateway({
    ...launch,
    nodeFlags: ALIKE_FLAGS,
    readyWithinMs: 300_000,
    under: [
      'valgrind',
      '--tool=callgrind',
      '--instr-atstart=no',
      '--smc-check=all-non-file',
      `--callgrind-out-file=${out}`,
    ],
  });
  const control = (...words) => spawnSync('callgrind_control', [...words, String(gateway.pid)]);
  const found = new Map();
  try {
    for (const scenario of scenarios) {
      const { name, warmUp, burst } = scenario;
      const load = loadOf(scenario, gateway.ports);
      await answered(generator, load(warmUp), name);
      control('-i', 'on');
      // The first requests pay for the change.
      await answered(generator, load(burst), name);
      const bursts = [];
      for (let i = 0; i < MOST_BURSTS && !areAlike(bursts); i++) {
        control('--zero');
        const answers = await answered(generator, load(burst), name);
        control('--dump');
        bursts.push(lastTotal(folder) / answers);
        bursts.sort((a, b) => a - b);
      }
      control('-i', 'off');
      found.set(name, Math.round(median(bursts.slice(0, CLEAN_BURSTS))));
    }
  } finally {
    generator.end();
    await gateway.stop();
    rmSync(folder, { recursive: true });
  }
  return found;
}

/**
 * Whether the lowest of these, sorted, agree. A burst in which the compiler ran, or old garbage was collected, has up to three times as
 * many instructions; both come with the time, of which there is more when other programs run.
 */
function areAlike(bursts) {
  return bursts.length >= CLEAN_BURSTS && bursts[CLEAN_BURSTS - 1] <= bursts[0] * (1 + ALIKE);
}

/** The total of the newest dump (`out.1`, `out.2`, ..). */
function lastTotal(folder) {
  const number = Math.max(...readdirSync(folder).map((name) => Number(/^out\.(\d+)$/.exec(name)?.[1] ?? 0)));
  return Number(/^totals: (\d+)/m.exec(readFileSync(join(folder, `out.${number}`), 'utf8'))[1]);
}
