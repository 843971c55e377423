/** Scenarios that are no single closed loop: one model beside another, ten models, overload, start-up. */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { poissonArrivals } from '../dist/cli/bench/arrivals.js';
import { startLoadGenerator } from '../dist/cli/bench/load-generator.js';
import { measureRound } from '../dist/cli/bench/measure-round.js';
import { randomSource } from '../dist/cli/bench/random-source.js';
import { median } from '../dist/cli/bench/statistics.js';
import { startGateway } from './gateway-process.mjs';
import { requestsFor, targetOf } from './requests.mjs';
import { webSocketToHttp } from './web-socket-to-http.mjs';

const MODELS = join(dirname(fileURLToPath(import.meta.url)), 'models');
const TEN = 10;
const CLOSED = (concurrency, ms) => ({ kind: 'closed', concurrency, ms });

/** p99 of the MLP over HTTP alone, and while batches of 8 images keep the CNN's instance busy. */
export async function starvation({ gateway, generator, rounds, ms }) {
  const target = targetOf('http', gateway.ports, 'mlp');
  const slowTarget = targetOf('http', gateway.ports, 'cnn');
  const slowRequests = requestsFor('cnn', slowTarget, { rows: 8 });
  const job = { target, requests: requestsFor('mlp', target), load: CLOSED(1, ms) };
  const other = startLoadGenerator();
  const seen = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const alone = (await measureRound(generator, job, gateway.cpuUs)).figures;
      const slow = other.run({ target: slowTarget, requests: slowRequests, load: CLOSED(2, ms + 200) });
      const beside = (await measureRound(generator, job, gateway.cpuUs)).figures;
      seen.push({ alone, beside, slow: await slow });
    }
  } finally {
    other.end();
  }
  const of = (pick) => Math.round(median(seen.map(pick)));
  return {
    scenario: 'starvation',
    aloneP50Us: of(({ alone }) => alone.p50Us),
    aloneP99Us: of(({ alone }) => alone.p99Us),
    besideP50Us: of(({ beside }) => beside.p50Us),
    besideP99Us: of(({ beside }) => beside.p99Us),
    slowRequestsPerSecond: of(({ slow }) => slow.answers / slow.seconds),
    errors: seen.reduce((sum, { alone, beside, slow }) => sum + alone.errors + beside.errors + slow.errors, 0),
  };
}

/** p99 of the MLP over HTTP alone, and while the embedder is loaded and unloaded again and again. */
export async function loading({ generator, rounds, ms }) {
  const flags = ['--model-control-mode', 'explicit', '--load-model', 'mlp'];
  const gateway = await startGateway({ flags });
  const target = targetOf('http', gateway.ports, 'mlp');
  const job = { target, requests: requestsFor('mlp', target), load: CLOSED(1, ms) };
  const change = async (how) => {
    const url = `http://127.0.0.1:${gateway.ports.http}/v2/repository/models/embedder/${how}`;
    const answer = await fetch(url, { method: 'POST' });
    if (!answer.ok) throw new Error(`${how} of the embedder: ${answer.status} ${await answer.text()}`);
  };
  const seen = [];
  let loads = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      const alone = (await measureRound(generator, job, gateway.cpuUs)).figures;
      let over = false;
      const changes = (async () => {
        while (!over) {
          await change('load');
          await change('unload');
          loads++;
        }
      })();
      const beside = (await measureRound(generator, job, gateway.cpuUs)).figures;
      over = true;
      await changes;
      seen.push({ alone, beside });
    }
  } finally {
    await gateway.stop();
  }
  const of = (pick) => Math.round(median(seen.map(pick)));
  return {
    scenario: 'loading',
    aloneP50Us: of(({ alone }) => alone.p50Us),
    aloneP99Us: of(({ alone }) => alone.p99Us),
    besideP50Us: of(({ beside }) => beside.p50Us),
    besideP99Us: of(({ beside }) => beside.p99Us),
    besideMaxUs: of(({ beside }) => beside.maxUs),
    loads,
    errors: seen.reduce((sum, { alone, beside }) => sum + alone.errors + beside.errors, 0),
  };
}

/** The CNN at ten times what it can do: what is still answered, against its capacity, and how late. */
export async function overload({ gateway, generator, rounds, ms }) {
  const target = targetOf('http', gateway.ports, 'cnn');
  const requests = requestsFor('cnn', target);
  const random = randomSource(7);
  const seen = [];
  for (let round = 0; round < rounds; round++) {
    const capacity = (await measureRound(generator, { target, requests, load: CLOSED(8, ms) }, gateway.cpuUs)).figures;
    const arrivalsMs = poissonArrivals(capacity.perSecond * 10, ms, random);
    const load = { kind: 'open', arrivalsMs, connections: 256, drainMs: 2000 };
    const { result } = await measureRound(generator, { target, requests, load }, gateway.cpuUs);
    seen.push({
      share: result.answers / (ms / 1000 + 2) / capacity.perSecond,
      offered: arrivalsMs.length,
      answered: result.answers,
    });
  }
  return {
    scenario: 'overload',
    answeredToCapacity: Number(median(seen.map(({ share }) => share)).toFixed(3)),
    offered: median(seen.map(({ offered }) => offered)),
    answered: median(seen.map(({ answered }) => answered)),
    // Most requests cannot be answered in time: that is the scenario.
    errors: 0,
  };
}

/** Ten copies of the MLP, one cold start, and requests to all in turn, against one model under the same load. */
export async function tenModels({ gateway, generator, rounds, ms }) {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  const names = Array.from({ length: TEN }, (_, i) => `mlp${i}`);
  for (const name of names) cpSync(join(MODELS, 'mlp'), join(folder, name), { recursive: true });
  let ten;
  try {
    ten = await startGateway({ repository: folder });
    const target = targetOf('http', ten.ports, 'mlp0');
    const toTen = {
      target,
      requests: names.flatMap((served) => requestsFor('mlp', target, { served }).slice(0, 1)),
      load: CLOSED(32, ms),
    };
    const oneTarget = targetOf('http', gateway.ports, 'mlp');
    const toOne = { target: oneTarget, requests: requestsFor('mlp', oneTarget), load: CLOSED(32, ms) };
    const seen = [];
    for (let round = 0; round < rounds; round++) {
      const one = (await measureRound(generator, toOne, gateway.cpuUs)).figures;
      seen.push({ one, all: (await measureRound(generator, toTen, ten.cpuUs)).figures });
    }
    return {
      scenario: 'ten-models',
      readyAfterMs: Math.round(ten.readyAfterMs),
      residentMB: Math.round(ten.residentBytes() / 1e6),
      requestsPerSecond: Math.round(median(seen.map(({ all }) => all.perSecond))),
      ratioToOneModel: Number(median(seen.map(({ all, one }) => all.perSecond / one.perSecond)).toFixed(3)),
      p99Us: Math.round(median(seen.map(({ all }) => all.p99Us))),
      errors: seen.reduce((sum, { all, one }) => sum + all.errors + one.errors, 0),
    };
  } finally {
    await ten?.stop();
    rmSync(folder, { recursive: true });
  }
}

/** From the start of the process to ready with the MLP, and its resident memory when idle. */
export async function startUp({ rounds }) {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-bench-'));
  mkdirSync(join(folder, 'models'));
  cpSync(join(MODELS, 'mlp'), join(folder, 'models/mlp'), { recursive: true });
  const seen = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const gateway = await startGateway({ repository: join(folder, 'models') });
      seen.push({ ms: gateway.readyAfterMs, bytes: gateway.residentBytes() ?? Number.NaN });
      await gateway.stop();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return {
    scenario: 'start-up',
    readyAfterMs: Math.round(median(seen.map(({ ms }) => ms))),
    residentMB: Math.round(median(seen.map(({ bytes }) => bytes)) / 1e6),
    errors: 0,
  };
}

export const SPECIAL = {
  'web-socket-to-http': webSocketToHttp,
  starvation,
  loading,
  overload,
  'ten-models': tenModels,
  'start-up': startUp,
};
