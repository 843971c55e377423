import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { textTable } from '../text-table.js';
import { burstyArrivals, poissonArrivals } from './arrivals.js';
import { resultHead } from './bench-result.js';
import { type PreparedRequests, preparedRequests } from './bench-run.js';
import { type GoodputPoint, goodputPoint } from './goodput-point.js';
import { searchGoodput } from './goodput-search.js';
import { startLoadGenerator } from './load-generator.js';
import { randomSource } from './random-source.js';

export interface BenchGoodputOptions extends PreparedRequests {
  readonly sloMs: number;
  /** Share of all requests that must be in time. */
  readonly share: number;
  readonly arrivals: 'poisson' | 'burst';
  readonly from: number;
  readonly to: number;
  readonly seconds: number;
  readonly tries: number;
  readonly connections: number;
  /** Multiples of the goodput found that are offered too. */
  readonly overload: readonly number[];
  readonly json: string | undefined;
}

/** The search ends where the rate is known to this share. */
const PRECISION = 0.03;
/** What the last requests of a run have to be answered, in times of the SLO, and at least. */
const DRAIN_SLOS = 4;
const DRAIN_MS = 1000;

/** `penstock bench goodput`: how many requests a second a V2 server answers within an SLO. */
export async function benchGoodput(options: BenchGoodputOptions, io: CliIo): Promise<number> {
  const requests = await preparedRequests(options, io);
  const { target, model, sloMs, share, arrivals, seconds, connections } = options;
  const random = randomSource(options.seed + 1);
  const generator = startLoadGenerator();
  const measure = async (perSecond: number): Promise<GoodputPoint> => {
    const times = arrivals === 'burst' ? burstyArrivals : poissonArrivals;
    const load = {
      kind: 'open' as const,
      arrivalsMs: times(perSecond, seconds * 1000, random),
      connections,
      drainMs: DRAIN_MS + DRAIN_SLOS * sloMs,
      withinMs: sloMs,
    };
    const point = await goodputPoint(generator, { target, requests }, load, seconds);
    io.stderr.write(`${progressLine(point)}\n`);
    return point;
  };
  try {
    const found = await searchGoodput(measure, { ...options, precision: PRECISION });
    const points = [...found.points];
    for (const times of options.overload) if (found.perSecond > 0) points.push(await measure(found.perSecond * times));
    io.stdout.write(
      `${Math.round(found.perSecond)} requests/s with ${share * 100} % of all within ${sloMs} ms\n${pointsTable(points)}`,
    );
    const head = resultHead(`${target.host}:${target.port}`, io.cwd, { penstock: io.version });
    const result = { ...head, model, sloMs, share, arrivals, seconds, goodputPerSecond: found.perSecond, points };
    if (options.json !== undefined) writeFileSync(resolve(io.cwd, options.json), `${JSON.stringify(result)}\n`);
    return found.perSecond > 0 ? EXIT_CODES.done : EXIT_CODES.failed;
  } catch (thrown) {
    throw new CliError((thrown as Error).message, EXIT_CODES.unreachable);
  } finally {
    generator.end();
  }
}

/** One run in one line, for those who wait. */
function progressLine(point: GoodputPoint): string {
  const share = ((100 * point.inTime) / point.requests).toFixed(2);
  const { offeredPerSecond, late, refused, failed, firstError } = point;
  const error = firstError === undefined ? '' : ` (${firstError})`;
  return `${Math.round(offeredPerSecond)} requests/s: ${share} % in time, ${late} late, ${refused} refused, ${failed} failed${error}`;
}

function pointsTable(points: readonly GoodputPoint[]): string {
  const header = ['OFFERED/S', 'IN TIME/S', 'IN TIME', 'LATE', 'REFUSED', 'FAILED', 'P50 MS', 'P99 MS'];
  const own = ['REFUSAL P99 MS', 'GENERATOR LATE P99 MS'];
  const rows = [...points]
    .sort((a, b) => a.offeredPerSecond - b.offeredPerSecond)
    .map((point) => [
      point.offeredPerSecond.toFixed(0),
      point.inTimePerSecond.toFixed(0),
      `${((100 * point.inTime) / point.requests).toFixed(2)} %`,
      ...[point.late, point.refused, point.failed].map(String),
      ...[point.p50Ms, point.p99Ms, point.refusalP99Ms, point.generatorLateP99Ms].map((ms) =>
        Number.isNaN(ms) ? '-' : ms.toFixed(2),
      ),
    ]);
  return textTable([...header, ...own], rows);
}
