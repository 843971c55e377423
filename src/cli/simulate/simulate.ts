import { curveOf, type GivenCurve } from '../../core/index.js';
import {
  fluidBoundPerSecond,
  goodput,
  IN_TIME_SHARE,
  instancesFor,
  type Load,
  type Mix,
  type PartResult,
  POLICIES,
  type PolicyName,
  type RunResult,
  run,
  Senders,
} from '../../simulation/index.js';
import { randomSource } from '../bench/random-source.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { arrivalsOf } from './simulated-arrivals.js';

/** What is simulated, as the commands `simulate` and `plan` were given it. */
export interface LoadOptions extends Mix {
  readonly curve: GivenCurve;
  readonly sloMs: number;
  readonly maxBatch: number;
  readonly arrivals: string;
  readonly requests: number;
  readonly seed: number;
  readonly policy: PolicyName;
  readonly jitter: number;
  readonly json: boolean;
}

export interface SimulateOptions extends LoadOptions {
  readonly instances: number;
  /** Undefined: the highest rate is searched. */
  readonly rate: number | undefined;
}

/** `penstock simulate`: the goodput of a policy, or what happens at one rate. */
export async function simulate(options: SimulateOptions, io: CliIo): Promise<number> {
  const load = loadOf(options, options.instances);
  const trial = trialOf(options, io);
  const variants = POLICIES[options.policy](load);
  const { perSecond, atThatRate } =
    options.rate === undefined
      ? goodput(load, variants, trial)
      : bestAt(
          variants.map((variant) =>
            run(load, variant(), trial.arrivalsMs(options.rate as number), trial.random(), trial.senders()),
          ),
        );
  const bound = fluidBoundPerSecond(load);
  const figures = {
    policy: options.policy,
    goodputPerSecond: rounded(perSecond),
    fluidBoundPerSecond: rounded(bound),
    shareOfFluidBound: bound === 0 ? null : rounded(perSecond / bound, 4),
    ...resultFigures(atThatRate),
  };
  if (options.json) io.stdout.write(`${JSON.stringify(figures)}\n`);
  else {
    const share =
      bound === 0
        ? ''
        : `, ${rounded((100 * perSecond) / bound, 1)} % of the fluid bound ${figures.fluidBoundPerSecond}`;
    const what =
      options.rate === undefined
        ? `with ${IN_TIME_SHARE * 100} % of all requests within ${options.sloMs} ms`
        : `in time at ${options.rate} offered`;
    io.stdout.write(`${figures.goodputPerSecond} requests/s ${what}${share}\n${resultLines(atThatRate)}`);
  }
  return EXIT_CODES.done;
}

/** `penstock plan`: the fewest instances at which a rate is served within the SLO. */
export async function plan(options: LoadOptions & { readonly rate: number }, io: CliIo): Promise<number> {
  const load = loadOf(options, 1);
  const trial = trialOf(options, io);
  const [variant] = POLICIES[options.policy](load);
  const instances = variant && instancesFor(load, variant, trial, options.rate);
  if (variant === undefined || instances === undefined)
    throw new CliError(
      `no number of instances answers ${IN_TIME_SHARE * 100} % of the requests within ${options.sloMs} ms: one alone takes ${rounded(load.curve.meanNs(1) / 1e6, 3)} ms`,
    );
  const chosen = { ...load, instances };
  const result = run(chosen, variant(), trial.arrivalsMs(options.rate), trial.random(), trial.senders());
  const share = options.rate / fluidBoundPerSecond(chosen);
  const figures = { policy: options.policy, instances, shareOfFluidBound: rounded(share, 4), ...resultFigures(result) };
  if (options.json) io.stdout.write(`${JSON.stringify(figures)}\n`);
  else {
    const instancesText = instances === 1 ? '1 instance' : `${instances} instances`;
    io.stdout.write(
      `${instancesText} for ${options.rate} requests/s within ${options.sloMs} ms, at ${rounded(100 * share, 1)} % of their fluid bound\n${resultLines(result)}`,
    );
  }
  return EXIT_CODES.done;
}

function loadOf(options: LoadOptions, instances: number): Load {
  // Planned with what an execution can take: noise makes a schedule without a margin worthless.
  const { curve, jitter, sloMs, maxBatch: maxBatchSize } = options;
  return { curve: curveOf(curve, jitter), instances, sloMs, maxBatchSize, jitter };
}

function trialOf({ arrivals, requests, seed, tenants, criticality }: LoadOptions, io: CliIo) {
  const arrivalsMs = arrivalsOf(arrivals, requests, seed, io.cwd);
  const senders = () => new Senders({ tenants, criticality }, randomSource(seed + 2_000_003).uniform);
  return { arrivalsMs, senders, random: () => randomSource(seed + 1_000_003).uniform };
}

function bestAt(results: readonly RunResult[]): { perSecond: number; atThatRate: RunResult } {
  const best = results.reduce((a, b) => (b.inTime > a.inTime ? b : a));
  return { perSecond: (best.inTime * 1000) / best.spanMs, atThatRate: best };
}

function resultFigures(result: RunResult) {
  const { requests, inTime, refused, latenciesMs, refusalsMs, executions } = result;
  return {
    requests,
    inTime,
    late: latenciesMs.length - inTime,
    refused,
    refusedInQueue: refusalsMs.filter((ms) => ms > 0).length,
    p50Ms: rounded(percentile(latenciesMs, 0.5), 3),
    p90Ms: rounded(percentile(latenciesMs, 0.9), 3),
    p99Ms: rounded(percentile(latenciesMs, 0.99), 3),
    refusalP99Ms: rounded(percentile(refusalsMs, 0.99), 3),
    meanBatchRows: rounded(executions === 0 ? 0 : latenciesMs.length / executions, 2),
    ...mixFigures(result),
  };
}

/** By tenant and by criticality, where there is more than one. */
function mixFigures({ mix, spanMs }: RunResult) {
  const figures = (parts: ReadonlyMap<string, PartResult>) =>
    Object.fromEntries(
      [...parts].map(([name, part]) => [name, { ...part, goodputPerSecond: rounded((part.inTime * 1000) / spanMs) }]),
    );
  return {
    ...(mix.tenants.size > 1 ? { tenants: figures(mix.tenants) } : {}),
    ...(mix.criticality.size > 1 ? { criticality: figures(mix.criticality) } : {}),
  };
}

function resultLines(result: RunResult): string {
  const figures = resultFigures(result);
  const { requests, inTime, late, refused, refusedInQueue, p50Ms, p90Ms, p99Ms, refusalP99Ms, meanBatchRows } = figures;
  const { criticality, tenants } = figures;
  return [
    `latency p50 ${p50Ms} ms, p90 ${p90Ms} ms, p99 ${p99Ms} ms; ${meanBatchRows} rows a batch`,
    `${requests} requests: ${inTime} in time, ${late} late, ${refused} refused${refused === 0 ? '' : ` (${refusedInQueue} of them after they were admitted; p99 after ${refusalP99Ms} ms)`}`,
    ...[...Object.entries({ ...criticality }), ...Object.entries({ ...tenants })].map(
      ([name, part]) =>
        `${name}: ${part.requests} requests, ${part.inTime} in time (${rounded((100 * part.inTime) / Math.max(part.requests, 1))} %), ${part.late} late, ${part.refused} refused`,
    ),
    '',
  ].join('\n');
}

/** Of ascending values; 0 where there is none. */
function percentile(ascending: Float64Array, share: number): number {
  return ascending[Math.min(Math.floor(ascending.length * share), ascending.length - 1)] ?? 0;
}

function rounded(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
