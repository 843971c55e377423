import { readFileSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Tensor } from '../../core/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import { readInputs } from '../input-argument.js';
import type { CliIo } from '../io.js';
import { textTable } from '../text-table.js';
import { burstyArrivals, poissonArrivals, recordedArrivals } from './arrivals.js';
import { type RoundFigures, resultHead, type ScenarioResult } from './bench-result.js';
import { LatencyHistogram } from './latency-histogram.js';
import { type LoadGenerator, startLoadGenerator } from './load-generator.js';
import type { LoadJob, LoadShape, LoadTarget } from './load-job.js';
import { measureRound } from './measure-round.js';
import { modelSignature } from './model-signature.js';
import { processCpuUs } from './process-cpu.js';
import { randomSource } from './random-source.js';
import { type BodyFormat, requestBytes } from './request-bytes.js';
import { parseShape, type SampleData, sampleInputs } from './sample-inputs.js';
import { median } from './statistics.js';

/** Which requests are sent, and to whom. */
export interface PreparedRequests {
  readonly target: LoadTarget;
  readonly model: string;
  readonly version: string | undefined;
  readonly format: BodyFormat;
  /** As for `penstock infer --input`. */
  readonly inputs: readonly string[];
  readonly shapes: readonly string[];
  readonly data: SampleData;
  readonly seed: number;
}

export interface BenchRunOptions extends PreparedRequests {
  /** Callers of the closed loop, one scenario each; empty where `rate` is given. */
  readonly concurrency: readonly number[];
  /** Requests per second of the open loop. */
  readonly rate: number | undefined;
  /** `poisson`, `burst`, or a file of times. */
  readonly arrivals: string;
  /** Open loop: requests in flight at most. */
  readonly connections: number;
  readonly seconds: number;
  readonly rounds: number;
  /** Process of the server, whose CPU time is read. */
  readonly pid: number | undefined;
  readonly json: string | undefined;
}

/** Requests prepared where shapes or elements are drawn: enough that no cache of answers helps. */
const REQUEST_VARIANTS = 64;
/** Variants together take this at most. */
const REQUESTS_BYTES = 32 * 1024 * 1024;
const WARM_UP_MS = 500;
/** What the last requests of an open loop have to be answered. */
const DRAIN_MS = 5000;

/** `penstock bench run`: load on any V2 server, rounds of it, figures. Fails where a request failed. */
export async function benchRun(options: BenchRunOptions, io: CliIo): Promise<number> {
  const requests = await preparedRequests(options, io);
  const scenarios = plannedScenarios(options, io);
  const head = resultHead(`${options.target.host}:${options.target.port}`, io.cwd, { penstock: io.version });
  const generator = startLoadGenerator();
  const results: ScenarioResult[] = [];
  try {
    for (const { name, loads } of scenarios) {
      const result = await measureScenario(name, loads, { target: options.target, requests }, options, generator, io);
      results.push(result);
      const [only] = result.rounds;
      if (only !== undefined && result.rounds.every((round) => round.answers === 0)) break;
    }
  } finally {
    generator.end();
  }
  io.stdout.write(figuresTable(results));
  if (options.json !== undefined)
    writeFileSync(resolve(io.cwd, options.json), `${JSON.stringify({ ...head, scenarios: results })}\n`);
  return results.some(({ rounds }) => rounds.some(({ errors }) => errors > 0)) ? EXIT_CODES.failed : EXIT_CODES.done;
}

async function measureScenario(
  name: string,
  loads: readonly LoadShape[],
  job: Omit<LoadJob, 'load'>,
  options: BenchRunOptions,
  generator: LoadGenerator,
  io: CliIo,
): Promise<ScenarioResult> {
  const concurrency = options.concurrency.length === 0 ? 1 : Math.min(8, ...options.concurrency);
  const latency = new LatencyHistogram();
  const rounds: RoundFigures[] = [];
  const cpu = () => (options.pid === undefined ? undefined : processCpuUs(options.pid));
  try {
    await generator.run({ ...job, load: { kind: 'closed', concurrency, ms: WARM_UP_MS } });
    for (const load of loads) {
      const { figures, result } = await measureRound(generator, { ...job, load }, cpu);
      rounds.push(figures);
      latency.add(result.latency);
      if (result.errors > 0) io.stderr.write(`penstock: ${name}: ${result.errors} errors: ${result.firstError}\n`);
    }
  } catch (thrown) {
    throw new CliError((thrown as Error).message, EXIT_CODES.unreachable);
  }
  return { name, rounds, latency: latency.data() };
}

/** Wire bytes of enough different requests. Throws `CliError` where the server does not tell what its model takes. */
export async function preparedRequests(options: PreparedRequests, io: CliIo): Promise<Buffer[]> {
  const { target, model: name, version, format, data } = options;
  const { inputs: specs } = await modelSignature(target, name, version);
  const image = { layout: undefined, scale: undefined, resize: 'area' } as const;
  const given: readonly Tensor[] = await readInputs(options.inputs, specs, io.cwd, image);
  const open = specs.filter((spec) => !given.some((tensor) => tensor.name === spec.name));
  const shapes = new Map(options.shapes.map(parseShape).map(({ name, axes }) => [name, axes]));
  const random = randomSource(options.seed);
  const requests: Buffer[] = [];
  const wanted = open.length > 0 && (data === 'random' || shapes.size > 0) ? REQUEST_VARIANTS : 1;
  for (let bytes = 0; requests.length < wanted && bytes < REQUESTS_BYTES; bytes += requests.at(-1)!.length) {
    const inputs = [...given, ...sampleInputs(open, shapes, data, random)];
    requests.push(requestBytes(target, { name, version }, inputs, format));
  }
  return requests;
}

function plannedScenarios(
  options: BenchRunOptions,
  io: CliIo,
): { readonly name: string; readonly loads: readonly LoadShape[] }[] {
  const { model, target, format, rate, arrivals, seconds, rounds, connections } = options;
  const base = `${model}-${target.protocol}${format === 'json' ? '-json' : ''}`;
  const ms = seconds * 1000;
  if (options.concurrency.length > 0)
    return options.concurrency.map((concurrency) => ({
      name: `${base}-c${concurrency}`,
      loads: Array.from({ length: rounds }, () => ({ kind: 'closed', concurrency, ms })),
    }));
  const random = randomSource(options.seed + 1);
  const times = () => {
    try {
      if (arrivals === 'poisson') return poissonArrivals(rate!, ms, random);
      if (arrivals === 'burst') return burstyArrivals(rate!, ms, random);
      return recordedArrivals(readFileSync(resolve(io.cwd, arrivals), 'utf8'), rate);
    } catch (thrown) {
      throw new CliError(`--arrivals ${arrivals}: ${(thrown as Error).message}`, EXIT_CODES.usage);
    }
  };
  const loads = Array.from({ length: rounds }, () => ({
    kind: 'open' as const,
    arrivalsMs: times(),
    connections,
    drainMs: DRAIN_MS,
  }));
  const form = arrivals === 'poisson' || arrivals === 'burst' ? arrivals : basename(arrivals);
  return [{ name: `${base}-${form}${rate === undefined ? '' : `-${rate}`}`, loads }];
}

function figuresTable(results: readonly ScenarioResult[]): string {
  const header = ['SCENARIO', 'REQUESTS/S', 'P50 US', 'P90 US', 'P99 US', 'P99.9 US', 'MAX US', 'ERRORS'];
  const keys = ['perSecond', 'p50Us', 'p90Us', 'p99Us', 'p999Us', 'maxUs'] as const;
  const cpu = results.some(({ rounds }) => rounds.some((round) => round.cpuUsPerRequest !== undefined));
  const lag = results.some(({ rounds }) => rounds.some((round) => round.generatorLagP99Us !== undefined));
  const rows = results.map(({ name, rounds }) => {
    const of = (key: keyof RoundFigures) => median(rounds.map((round) => round[key] ?? Number.NaN));
    return [
      name,
      ...keys.map((key) => of(key).toFixed(0)),
      String(rounds.reduce((sum, { errors }) => sum + errors, 0)),
      ...(cpu ? [of('cpuUsPerRequest').toFixed(1)] : []),
      ...(lag ? [of('generatorLagP99Us').toFixed(0)] : []),
    ];
  });
  return textTable([...header, ...(cpu ? ['CPU US/REQUEST'] : []), ...(lag ? ['GENERATOR LATE P99 US'] : [])], rows);
}
