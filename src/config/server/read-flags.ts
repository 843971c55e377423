import { didYouMean, ServingError } from '../../core/index.js';
import { type Flag, flagNamed, flagNames } from './flags.js';
import { UNSERVED_TRITON_FLAGS } from './triton-flags.js';

/** What a command line asks of the server. */
export interface ReadFlags {
  /** Part of the server's configuration, nested as the schema is; values not checked yet. */
  readonly values: Readonly<Record<string, unknown>>;
  /** The flag that set a place of the configuration, by path: for messages. */
  readonly origins: ReadonlyMap<string, string>;
  /** Of `--config`. */
  readonly configFile: string | undefined;
  /** Words that are no flags, in order. */
  readonly operands: readonly string[];
  /** A sentence for each flag of Triton's that is not served and does not change answers. */
  readonly warnings: readonly string[];
}

/**
 * Reads the words after `penstock serve`: `--name value`, `--name=value`; a boolean flag alone is true, and takes a
 * following word only where that is true, false, 1 or 0. After `--` all words are operands. Throws `MALFORMED_REQUEST`
 * on unknown flags (naming the nearest), on missing or wrong values and on Triton's flags that cannot be served.
 */
export function readServerFlags(args: readonly string[]): ReadFlags {
  const values: Record<string, unknown> = {};
  const origins = new Map<string, string>();
  const operands: string[] = [];
  const warnings: string[] = [];
  let configFile: string | undefined;
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    if (word === '--') {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      operands.push(word);
      continue;
    }
    const [, name, joined] = /^--?([^=]*)(?:=([\s\S]*))?$/.exec(word) as unknown as [
      string,
      string,
      string | undefined,
    ];
    const next = args[i + 1];
    const unserved = UNSERVED_TRITON_FLAGS[name];
    if (unserved !== undefined) {
      if (unserved.effect === 'error') throw refusal(`--${name} is not supported: ${unserved.why}`);
      warnings.push(`--${name} is not honoured: ${unserved.why}`);
      if (joined === undefined && next !== undefined && !next.startsWith('--')) i++;
      continue;
    }
    const flag = word.startsWith('--') ? flagNamed(name) : undefined;
    if (flag === undefined) throw unknownFlag(word, name);
    const takesNext = joined === undefined && wantsNext(flag, next);
    if (takesNext) i++;
    const text = joined ?? (takesNext ? next : undefined);
    if (flag.path === undefined) configFile = text ?? missingValue(flag);
    else {
      store(values, flag, readValue(flag, text, name), origins);
      // Its path holds what other flags set.
      if (flag.kind !== 'metrics') origins.set(flag.path.join('.'), `--${name}`);
    }
  }
  return { values, origins, configFile, operands, warnings };
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  True: true,
  '1': true,
  false: false,
  False: false,
  '0': false,
};

function wantsNext(flag: Flag, next: string | undefined): next is string {
  if (next === undefined) return false;
  return flag.kind === 'boolean' ? Object.hasOwn(BOOLEANS, next) : !next.startsWith('--');
}

function readValue(flag: Flag, text: string | undefined, name: string): unknown {
  if (flag.kind === 'boolean') {
    const value = text === undefined ? true : Object.hasOwn(BOOLEANS, text) ? BOOLEANS[text]! : undefined;
    if (value === undefined) throw refusal(`--${name} expects true or false, got '${text}'`);
    return value !== flag.negates;
  }
  if (text === undefined) return missingValue(flag);
  if (flag.kind === 'count' && /^\d+$/.test(text)) return Number(text);
  if (flag.kind === 'cache') {
    const size = /^local,size=(\d+)$/.exec(text)?.[1];
    if (size === undefined) throw refusal(`--${name} expects local,size=BYTES (the one cache there is), got '${text}'`);
    return Number(size);
  }
  if (flag.kind === 'number') {
    if (!/^-?\d+$/.test(text)) throw refusal(`--${name} expects a whole number, got '${text}'`);
    return Number(text);
  }
  return text;
}

function store(
  values: Record<string, unknown>,
  flag: Flag,
  value: unknown,
  origins: ReadonlyMap<string, string>,
): void {
  const path = flag.path!;
  if (flag.kind === 'pair') {
    const match = /^([^,=]+),([^=]+)=([\s\S]*)$/.exec(String(value));
    if (match === null) throw refusal(`--${flag.name} expects BACKEND,KEY=VALUE, got '${value}'`);
    child(child(values, path[0]!), match[1]!)[match[2]!] = match[3]!;
    return;
  }
  if (flag.kind === 'trace') {
    // Deprecated in Triton: the level alone.
    storeTrace(child(values, path[0]!), flag.name === 'trace-level' ? `level=${value}` : String(value));
    return;
  }
  if (flag.kind === 'metrics') {
    storeMetrics(child(values, path[0]!), String(value));
    return;
  }
  const owner = path.slice(0, -1).reduce(child, values);
  if (flag.kind === 'weight') {
    const match = /^([^=]+)=(\d+(?:\.\d+)?)$/.exec(String(value));
    if (match === null) throw refusal(`--${flag.name} expects NAME=NUMBER, got '${value}'`);
    Object.defineProperty(child(owner, path.at(-1)!), match[1]!, {
      value: Number(match[2]),
      enumerable: true,
      writable: true,
      configurable: true,
    });
    return;
  }
  const key = path.at(-1)!;
  if (flag.repeatable) owner[key] = [...((owner[key] as unknown[] | undefined) ?? []), value];
  else if (origins.has(path.join('.'))) throw refusal(`--${flag.name} is given twice`);
  else owner[key] = value;
}

/** Keys of `--trace-config`, and what they set; `level` may come several times. */
const TRACE_KEYS: Readonly<Record<string, string>> = {
  level: 'level',
  rate: 'rate',
  count: 'count',
  'triton,file': 'file',
  'triton,log-frequency': 'logFrequency',
};

function storeTrace(timelines: Record<string, unknown>, text: string): void {
  const [, key = '', value = ''] = /^([^=]+)=([\s\S]*)$/.exec(text) ?? [];
  if (key === 'mode' && value === 'triton') return;
  if (key === 'mode' || key.startsWith('opentelemetry,'))
    throw refusal(
      `--trace-config ${text}: spans go to a collector by --tracing-endpoint and what begins with --tracing-`,
    );
  const name = TRACE_KEYS[key];
  if (name === undefined)
    throw refusal(
      `--trace-config expects mode, ${Object.keys(TRACE_KEYS).join(', ')}, each with =VALUE, got '${text}'`,
    );
  if (name === 'level') {
    const levels = (timelines.level as unknown[] | undefined) ?? [];
    timelines.level = value === 'OFF' ? levels : [...levels, value];
    return;
  }
  if (Object.hasOwn(timelines, name)) throw refusal(`--trace-config ${key} is given twice`);
  if (name !== 'file' && !/^-?\d+$/.test(value))
    throw refusal(`--trace-config ${key} expects a whole number, got '${value}'`);
  timelines[name] = name === 'file' ? value : Number(value);
}

/** Settings of `--metrics-config`, and what they set. */
const METRICS_KEYS: Readonly<Record<string, string>> = {
  counter_latencies: 'counterLatencies',
  histogram_latencies: 'histogramLatencies',
};

const NO_SUMMARIES =
  'there are no summaries: histograms have what they have (histogram_quantile), and /v2/models/NAME/latency the quantiles of requests';

function storeMetrics(metrics: Record<string, unknown>, text: string): void {
  const [, key = '', value = ''] = /^([^=,]+)=([\s\S]*)$/.exec(text) ?? [];
  const summaries = key === 'summary_latencies' || key === 'summary_quantiles';
  if (key === 'summary_latencies' && value === 'false') return;
  if (summaries) throw refusal(`--metrics-config ${text}: ${NO_SUMMARIES}`);
  const name = METRICS_KEYS[key];
  if (name === undefined || (value !== 'true' && value !== 'false'))
    throw refusal(
      `--metrics-config expects ${Object.keys(METRICS_KEYS).join(' or ')}, with =true or =false, got '${text}'`,
    );
  if (Object.hasOwn(metrics, name)) throw refusal(`--metrics-config ${key} is given twice`);
  metrics[name] = value === 'true';
}

function child(owner: Record<string, unknown>, key: string): Record<string, unknown> {
  if (!Object.hasOwn(owner, key))
    Object.defineProperty(owner, key, { value: {}, enumerable: true, writable: true, configurable: true });
  return owner[key] as Record<string, unknown>;
}

function missingValue(flag: Flag): never {
  throw refusal(`--${flag.name} expects a value`);
}

function unknownFlag(word: string, name: string): ServingError {
  const hint = didYouMean(name, [...flagNames(), 'help', ...Object.keys(UNSERVED_TRITON_FLAGS)]).replace("'", "'--");
  return refusal(`unknown flag '${word.split('=')[0]}'${hint} (penstock serve --help lists them)`);
}

function refusal(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
