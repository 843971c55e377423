import type { LatencySketchObject } from '../core/index.js';
import { LatencySketch } from '../insight/index.js';
import { CliError, EXIT_CODES } from './exit-codes.js';
import type { CliIo } from './io.js';
import { textTable } from './text-table.js';
import { V2Client, type VersionLatencyFacts } from './v2-client.js';

export interface LatencyOptions {
  /** Replicas of one service. */
  readonly urls: readonly string[];
  /** Undefined: every model. */
  readonly model: string | undefined;
  /** Only requests answered within so many seconds from now; undefined: all so far. */
  readonly overSeconds: number | undefined;
  readonly json: boolean;
}

/** What replicas answered of one version, together. */
interface Merged {
  readonly model: string;
  readonly version: string;
  readonly sketch: LatencySketch;
  sumMs: number;
  /** 0: not known. */
  maxMs: number;
}

/**
 * `penstock latency [MODEL]`: quantiles of the time that requests took, by version, over all replicas: their sketches are
 * merged, which gives what one sketch over all would.
 */
export async function latency({ urls, model, overSeconds, json }: LatencyOptions, io: CliIo): Promise<number> {
  const clients = urls.map((url) => new V2Client(url));
  const read = () => Promise.all(clients.map((client) => readReplica(client, model)));
  const before = overSeconds === undefined ? [] : await read();
  if (overSeconds !== undefined) await new Promise((resolve) => setTimeout(resolve, overSeconds * 1000));
  const after = await read();
  const merged = mergedOf(after.map((replica, i) => since(replica, before[i])));
  if (model !== undefined && merged.length === 0) throw new CliError(`model '${model}' serves nowhere`);
  const rows = merged.map((version) => rowOf(version, overSeconds === undefined));
  if (json) io.stdout.write(`${JSON.stringify({ replicas: urls.length, versions: rows })}\n`);
  else io.stdout.write(table(rows));
  return EXIT_CODES.done;
}

type Replica = ReadonlyMap<string, Merged>;

async function readReplica(client: V2Client, model: string | undefined): Promise<Replica> {
  const serving = (await client.index()).filter(({ state }) => state === 'READY');
  const names = [...new Set(serving.map(({ name }) => name))].filter((name) => model === undefined || name === model);
  const versions = new Map<string, Merged>();
  for (const name of names.sort())
    for (const facts of await client.latency(name)) versions.set(`${name} ${facts.version}`, mergedFrom(name, facts));
  return versions;
}

function mergedFrom(model: string, { version, count, mean_ms = 0, max_ms = 0, sketch }: VersionLatencyFacts): Merged {
  return { model, version, sketch: sketchOf(sketch), sumMs: mean_ms * count, maxMs: max_ms };
}

function sketchOf(object: LatencySketchObject | undefined): LatencySketch {
  if (object === undefined) return new LatencySketch();
  try {
    return LatencySketch.fromObject(object);
  } catch (thrown) {
    throw new CliError(`a replica gives a sketch that cannot be merged: ${(thrown as Error).message}`);
  }
}

/** What a replica answered between two readings; all of it where it began anew in between. */
function since(now: Replica, before: Replica | undefined): Replica {
  if (before === undefined) return now;
  return new Map(
    [...now].map(([key, version]) => {
      const earlier = before.get(key);
      const sketch = earlier === undefined ? version.sketch : version.sketch.since(earlier.sketch);
      const sumMs = sketch === version.sketch ? version.sumMs : version.sumMs - (earlier?.sumMs ?? 0);
      return [key, { ...version, sketch, sumMs, maxMs: 0 }];
    }),
  );
}

function mergedOf(replicas: readonly Replica[]): Merged[] {
  const merged = new Map<string, Merged>();
  for (const replica of replicas)
    for (const [key, version] of replica) {
      const known = merged.get(key);
      if (known === undefined) merged.set(key, version);
      else {
        known.sketch.merge(version.sketch);
        known.sumMs += version.sumMs;
        known.maxMs = Math.max(known.maxMs, version.maxMs);
      }
    }
  return [...merged.values()].sort((a, b) => a.model.localeCompare(b.model) || Number(a.version) - Number(b.version));
}

interface Row {
  readonly model: string;
  readonly version: string;
  readonly count: number;
  readonly mean_ms?: number;
  readonly p50_ms?: number;
  readonly p90_ms?: number;
  readonly p99_ms?: number;
  readonly p99_9_ms?: number;
  readonly max_ms?: number;
}

function rowOf({ model, version, sketch, sumMs, maxMs }: Merged, knowsMax: boolean): Row {
  const { count } = sketch;
  if (count === 0) return { model, version, count };
  const ms = (quantile: number) => rounded(sketch.quantileS(quantile) * 1e3);
  return {
    model,
    version,
    count,
    mean_ms: rounded(sumMs / count),
    p50_ms: ms(0.5),
    p90_ms: ms(0.9),
    p99_ms: ms(0.99),
    p99_9_ms: ms(0.999),
    ...(knowsMax ? { max_ms: rounded(maxMs) } : {}),
  };
}

function table(rows: readonly Row[]): string {
  const cell = (ms: number | undefined) => (ms === undefined ? '-' : String(Number(ms.toPrecision(4))));
  return textTable(
    ['MODEL', 'VERSION', 'REQUESTS', 'MEAN MS', 'P50', 'P90', 'P99', 'P99.9', 'MAX'],
    rows.map((row) => [
      row.model,
      row.version,
      String(row.count),
      ...[row.mean_ms, row.p50_ms, row.p90_ms, row.p99_ms, row.p99_9_ms, row.max_ms].map(cell),
    ]),
  );
}

/** To a microsecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1e3) / 1e3;
}
