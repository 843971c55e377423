import { readFileSync } from 'node:fs';
import { didYouMean } from '../../core/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';

/** Figures that can be judged, and which way is better. */
export const METRICS = {
  perSecond: { better: 'more', title: 'requests/s' },
  p50Us: { better: 'less', title: 'p50 us' },
  p90Us: { better: 'less', title: 'p90 us' },
  p99Us: { better: 'less', title: 'p99 us' },
  cpuUsPerRequest: { better: 'less', title: 'CPU us/request' },
  instructionsPerRequest: { better: 'less', title: 'instructions/request' },
  heapBytesPerRequest: { better: 'less', title: 'heap bytes/request' },
} as const satisfies Record<string, { better: 'more' | 'less'; title: string }>;

export type Metric = keyof typeof METRICS;

/** How much worse a figure may be, as a share (0.05 = 5 %), by metric; a metric without one is shown, not judged. */
export type Tolerances = Partial<Readonly<Record<Metric, number>>>;

/** A thresholds file: what holds for all, and for scenarios by name (null: not judged there). */
export interface Thresholds {
  /** Share of intervals that hold the truth; 0.99 where not said. */
  readonly confidence: number;
  readonly default: Tolerances;
  readonly scenarios: Readonly<Record<string, Partial<Readonly<Record<Metric, number | null>>>>>;
}

/** Without a file. */
export const DEFAULT_THRESHOLDS: Thresholds = {
  confidence: 0.99,
  default: {
    perSecond: 0.05,
    p50Us: 0.05,
    cpuUsPerRequest: 0.03,
    instructionsPerRequest: 0.05,
    heapBytesPerRequest: 0.05,
  },
  scenarios: {},
};

/** Reads a thresholds file. Throws `CliError` that names what is wrong in it. */
export function readThresholds(path: string): Thresholds {
  const refuse = (what: string) => new CliError(`${path}: ${what}`, EXIT_CODES.usage);
  let parsed: Partial<Thresholds>;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8')) as Partial<Thresholds>;
  } catch (thrown) {
    throw refuse((thrown as Error).message);
  }
  const { confidence = DEFAULT_THRESHOLDS.confidence, default: all = {}, scenarios = {}, ...rest } = parsed;
  for (const key of Object.keys(rest)) throw refuse(`unknown key ${key}; expected confidence, default, scenarios`);
  if (!(confidence > 0.5 && confidence < 1)) throw refuse(`confidence ${confidence} is not between 0.5 and 1`);
  for (const [where, tolerances] of [['default', all] as const, ...Object.entries(scenarios)]) {
    for (const [metric, tolerance] of Object.entries(tolerances)) {
      if (!Object.hasOwn(METRICS, metric))
        throw refuse(`${where}: unknown metric ${metric}${didYouMean(metric, Object.keys(METRICS))}`);
      if (tolerance !== null && !(typeof tolerance === 'number' && tolerance >= 0))
        throw refuse(`${where}.${metric}: expected a share such as 0.05, got ${JSON.stringify(tolerance)}`);
    }
  }
  return { confidence, default: all, scenarios };
}

/** What a scenario's metric may lose; undefined: not judged. */
export function toleranceOf(thresholds: Thresholds, scenario: string, metric: Metric): number | undefined {
  const own = thresholds.scenarios[scenario]?.[metric];
  return own === null ? undefined : (own ?? thresholds.default[metric]);
}
