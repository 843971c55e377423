import type { Direction, JudgedMetric } from '../../delivery/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import { readTextFile } from '../text-file.js';

const DIRECTIONS: readonly Direction[] = ['either', 'increase', 'decrease'];

/** What is to be judged: metrics, and the weights of their groups. */
export interface JudgedSamples {
  readonly metrics: readonly JudgedMetric[];
  readonly groupWeights: Readonly<Record<string, number>>;
}

/** One metric of two files of numbers. */
export function samplesOfFiles(control: string, experiment: string, direction: Direction): JudgedSamples {
  const read = (path: string): readonly number[] => {
    const text = readTextFile(path);
    return text.trimStart().startsWith('[')
      ? numbers(parsed(text, path), path)
      : numbers(
          text.split(/[\s,]+/).filter((word) => word !== ''),
          path,
        );
  };
  const metric = { name: experiment, control: read(control), experiment: read(experiment), direction };
  return { metrics: [{ ...metric, critical: false, group: 'all' }], groupWeights: {} };
}

/** Metrics of a JSON document; `direction` where a metric has none. */
export function samplesOfDocument(path: string, direction: Direction): JudgedSamples {
  const document = object(parsed(readTextFile(path), path), path);
  known(document, ['metrics', 'groupWeights'], path);
  const { metrics, groupWeights = {} } = document;
  if (!Array.isArray(metrics) || metrics.length === 0) throw usage(`${path}: 'metrics' must be a list of at least one`);
  const weights = Object.entries(object(groupWeights, `${path}: groupWeights`));
  for (const [group, weight] of weights)
    if (typeof weight !== 'number' || !(weight >= 0 && weight <= 100))
      throw usage(`${path}: the weight of group '${group}' must be a number from 0 to 100, in percent`);
  const judged = metrics.map((metric, i) => metricOf(object(metric, `${path}: metrics[${i}]`), direction, path));
  const names = new Set(judged.map(({ name }) => name));
  if (names.size < judged.length) throw usage(`${path}: two metrics have the same name`);
  const total = weights.reduce((sum, [, weight]) => sum + (weight as number), 0);
  if (total > 100) throw usage(`${path}: the weights of groups add up to ${total} percent, at most 100`);
  return { metrics: judged, groupWeights: Object.fromEntries(weights) as Record<string, number> };
}

function metricOf(metric: Record<string, unknown>, ofAll: Direction, path: string): JudgedMetric {
  const { name, control, experiment, direction = ofAll, critical = false, group = 'all' } = metric;
  if (typeof name !== 'string' || name === '') throw usage(`${path}: a metric needs a name`);
  const where = `${path}: metric '${name}'`;
  known(metric, ['name', 'control', 'experiment', 'direction', 'critical', 'group'], where);
  if (!DIRECTIONS.includes(direction as Direction))
    throw usage(`${where}: 'direction' must be one of ${DIRECTIONS.join(', ')}`);
  if (typeof critical !== 'boolean' || typeof group !== 'string')
    throw usage(`${where}: 'critical' must be true or false, 'group' a text`);
  return {
    name,
    control: numbers(control, `${where}: control`),
    experiment: numbers(experiment, `${where}: experiment`),
    direction: direction as Direction,
    critical,
    group,
  };
}

/** Numbers, or NaN where there was none: JSON has no word for it but null. */
function numbers(values: unknown, where: string): readonly number[] {
  if (!Array.isArray(values)) throw usage(`${where}: a list of numbers was expected`);
  return values.map((value, i) => {
    const number = value === null || value === 'NaN' ? Number.NaN : Number(value);
    const isNumber = typeof value === 'number' || typeof value === 'string' || value === null;
    if (!isNumber || value === '' || (Number.isNaN(number) && value !== null && !/^nan$/i.test(String(value))))
      throw usage(`${where}: value ${i + 1} is no number: ${JSON.stringify(value)}`);
    if (!Number.isNaN(number) && !Number.isFinite(number)) throw usage(`${where}: value ${i + 1} is not finite`);
    return number;
  });
}

function known(what: Record<string, unknown>, keys: readonly string[], where: string): void {
  const unknown = Object.keys(what).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw usage(`${where}: unknown key '${unknown}'; there are ${keys.join(', ')}`);
}

function object(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usage(`${where}: an object was expected`);
  return value as Record<string, unknown>;
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw usage(`${path}: not JSON (${(thrown as Error).message})`);
  }
}

function usage(message: string): CliError {
  return new CliError(message, EXIT_CODES.usage);
}
