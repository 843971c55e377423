import type { CostCurve } from '../../core/index.js';
import { LearnedCost, rowsThatPay } from '../../serving/batcher/index.js';
import { goodput, type Load, POLICIES, type RunResult, run, type Trial } from '../../simulation/index.js';
import { randomSource } from '../bench/random-source.js';
import { arrivalsOf } from '../simulate/simulated-arrivals.js';
import type { ExpectedLoad, MeasuredSetting, MeasuredSize } from './tuning-result.js';

/** Requests of one simulated run. */
const REQUESTS = 20_000;
const SEED = 1;

/** Loads that are looked at, as shares of the best. */
const SHARES = [0.1, 0.3, 0.5, 0.7, 0.9, 1];

/** Without an SLO nobody is late. */
const NEVER_MS = 1e9;

/** More rows a second must be worth it, before a setting with more instances or threads is taken. */
const WORTH_IT = 1.03;

const TRIAL: Trial = {
  arrivalsMs: arrivalsOf('poisson', REQUESTS, SEED, '.'),
  random: () => randomSource(SEED + 1_000_003).uniform,
};

/** The curve that the gateway would plan by. */
export function curveOf(sizes: readonly MeasuredSize[]): CostCurve {
  const costs = new LearnedCost();
  costs.believe({
    shapeClass: '',
    device: undefined,
    sizes: sizes.map(({ rows, meanMs, upperMs }) => ({
      rows,
      meanNs: meanMs * 1e6,
      upperNs: upperMs * 1e6,
      weight: 32,
    })),
  });
  return costs.curve('') as CostCurve;
}

/** The most rows that pay, of the sizes that were measured. */
export function payingRowsOf(sizes: readonly MeasuredSize[]): number {
  return rowsThatPay(curveOf(sizes), sizes.at(-1)?.rows ?? 1);
}

/** Requests of one row a second that a setting answers: by the scheduler's own code on a virtual clock with an SLO, else at most. */
export function bestPerSecond(setting: Omit<MeasuredSetting, 'bestPerSecond'>, sloMs: number | undefined): number {
  if (sloMs === undefined) return Math.max(...setting.sizes.map(({ rowsPerSecond }) => rowsPerSecond));
  return goodput(loadOf(setting, sloMs), POLICIES.penstock(), TRIAL).perSecond;
}

/** The best of the settings; where several are about as good, the one with the fewest instances, then threads. */
export function chosenOf(measured: readonly MeasuredSetting[]): MeasuredSetting {
  const frugal = [...measured].sort((a, b) => a.instances * (a.threads ?? 1) - b.instances * (b.threads ?? 1));
  return frugal.reduce((best, one) => (one.bestPerSecond > best.bestPerSecond * WORTH_IT ? one : best));
}

/** What callers would see at several loads. */
export function expectedAt(setting: MeasuredSetting, sloMs: number | undefined): ExpectedLoad[] {
  if (!(setting.bestPerSecond > 0)) return [];
  const load = loadOf(setting, sloMs ?? NEVER_MS);
  const policies = sloMs === undefined ? POLICIES.pull(load) : POLICIES.penstock();
  // At the full rate without an SLO the line grows without end: there is nothing to expect.
  return SHARES.filter((share) => sloMs !== undefined || share < 1).flatMap((share) => {
    const offered = setting.bestPerSecond * share;
    const policy = policies[0]?.();
    if (policy === undefined) return [];
    const result = run(load, policy, TRIAL.arrivalsMs(offered), TRIAL.random());
    return [expected(result, offered, share, sloMs !== undefined)];
  });
}

function loadOf({ sizes, instances, payingRows }: Omit<MeasuredSetting, 'bestPerSecond'>, sloMs: number): Load {
  const curve = curveOf(sizes);
  // Without an SLO the suggested config bounds batches to what pays; with one the scheduler does so by itself.
  const maxBatchSize = sloMs === NEVER_MS ? payingRows : (sizes.at(-1)?.rows ?? 1);
  const spread = sizes.map(({ meanMs, upperMs }) => upperMs / meanMs - 1).sort((a, b) => a - b);
  const jitter = Math.min(spread[spread.length >> 1] ?? 0, 0.5);
  return { curve, instances, sloMs, maxBatchSize, jitter };
}

function expected(result: RunResult, offered: number, share: number, hasSlo: boolean): ExpectedLoad {
  const { latenciesMs, executions, inTime, requests } = result;
  const at = (q: number) => Number((latenciesMs[Math.floor((latenciesMs.length - 1) * q)] ?? 0).toFixed(3));
  return {
    offeredPerSecond: Number(offered.toPrecision(4)),
    share,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    rowsPerBatch: Number((latenciesMs.length / Math.max(executions, 1)).toFixed(2)),
    ...(hasSlo ? { inTimeShare: Number((inTime / requests).toFixed(4)) } : {}),
  };
}
