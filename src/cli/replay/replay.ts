import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readCaptureFile, type StoredRow } from '../../capture/index.js';
import { compareOutputs, type Tolerances } from '../../comparison/index.js';
import type { OutputComparison, Tensor } from '../../core/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { V2Client } from '../v2-client.js';
import { type CapturedRequest, capturedRequest } from './captured-request.js';
import { reportText } from './replay-report.js';
import { type ReplayLimits, ReplayTally } from './replay-tally.js';
import { openTarget, type ReplayTarget, type TargetOptions } from './replay-target.js';

export interface ReplayOptions extends Omit<TargetOptions, 'model'>, ReplayLimits {
  /** Files, or folders of files. */
  readonly captures: readonly string[];
  /** Undefined: of the first row. */
  readonly model: string | undefined;
  readonly tolerances: Tolerances;
  /** Requests in flight. */
  readonly concurrency: number;
  /** Most rows that are read. */
  readonly most: number;
  readonly json: boolean;
}

/** All of an answer is compared. */
const WHOLE = { elements: Number.MAX_SAFE_INTEGER, ranked: 1_000_000 };
const PROGRESS_EVERY = 500;

interface Row {
  readonly row: StoredRow;
  readonly file: string;
  readonly number: number;
}

/**
 * `penstock replay`: sends captured requests to a candidate again and compares its answers with the captured ones. Fails
 * where they differ more than is allowed.
 */
export async function replay(options: ReplayOptions, args: readonly string[], io: CliIo): Promise<number> {
  const files = filesOf(options.captures, io.cwd);
  const model = options.model ?? (await firstModel(files));
  const target = await openTarget({ ...options, model }, args, io);
  try {
    const tally = new ReplayTally();
    const client = new V2Client(target.url);
    const batched = (await client.metadata(model, target.candidate)).outputs.some(({ shape }) => shape[0] === -1);
    const rows = rowsOf(files, options.most);
    const send = async () => {
      for (let next = await rows.next(); next.done !== true; next = await rows.next()) {
        await again(next.value, model, client, target, tally, options.tolerances, batched);
        if (io.isTTY && tally.replayed % PROGRESS_EVERY === 0)
          io.stderr.write(`\r${tally.replayed} replayed, ${tally.failed} failed`);
      }
    };
    await Promise.all(Array.from({ length: options.concurrency }, send));
    if (io.isTTY) io.stderr.write('\r');
    const report = tally.report({ model, candidate: options.candidate, baseline: options.baseline }, options);
    io.stdout.write(options.json ? `${JSON.stringify(report)}\n` : reportText(report));
    return report.passed ? EXIT_CODES.done : EXIT_CODES.failed;
  } finally {
    await target.close();
  }
}

async function again(
  { row, file, number }: Row,
  model: string,
  client: V2Client,
  target: ReplayTarget,
  tally: ReplayTally,
  tolerances: Tolerances,
  batched: boolean,
): Promise<void> {
  const request = capturedRequest(row, model);
  if (typeof request === 'string') {
    tally.skipped[request]++;
    return;
  }
  // In turn first and second, so that neither has the warmer caches.
  const baselineFirst = number % 2 === 1;
  try {
    let baselineMs = baselineFirst ? await baselineTime(client, model, target, request) : undefined;
    const begunMs = performance.now();
    const { outputs } = await client.infer(model, target.candidate, request.inputs, request);
    const candidateMs = performance.now() - begunMs;
    baselineMs ??= await baselineTime(client, model, target, request);
    tally.took(row.latencyUs / 1e3, candidateMs, baselineMs);
    tally.answered(compared(request.outputs, outputs, row, tolerances, batched), { file, row: number, id: row.id });
  } catch (thrown) {
    if (!(thrown instanceof CliError) || thrown.exitCode === EXIT_CODES.unreachable) throw thrown;
    tally.fail(thrown.message);
  }
}

async function baselineTime(
  client: V2Client,
  model: string,
  { baseline }: ReplayTarget,
  request: CapturedRequest,
): Promise<number | undefined> {
  if (baseline === undefined) return undefined;
  const begunMs = performance.now();
  await client.infer(model, baseline, request.inputs, request);
  return performance.now() - begunMs;
}

/** Undefined where no output of the captured answer was kept. */
function compared(
  captured: readonly Tensor[],
  answered: readonly Tensor[],
  row: StoredRow,
  tolerances: Tolerances,
  batched: boolean,
): OutputComparison | undefined {
  if (captured.length === 0) return undefined;
  const left = new Set(row.outputs.filter(({ redacted }) => redacted !== undefined).map(({ name }) => name));
  return compareOutputs(
    captured,
    answered.filter(({ name }) => !left.has(name)),
    batched,
    tolerances,
    WHOLE,
  );
}

function filesOf(captures: readonly string[], cwd: string): readonly string[] {
  const files = captures.flatMap((capture) => {
    const path = resolve(cwd, capture);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) throw new CliError(`${capture}: no such file or folder`, EXIT_CODES.usage);
    if (!stats.isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => name.endsWith('.parquet') && !name.startsWith('.'));
    return names.sort().map((name) => join(path, name));
  });
  if (files.length === 0) throw new CliError('there is no capture file (*.parquet) to replay', EXIT_CODES.usage);
  return files;
}

async function firstModel(files: readonly string[]): Promise<string> {
  for (const file of files) for await (const { model } of readCaptureFile(file)) return model;
  throw new CliError('the captures hold no request', EXIT_CODES.usage);
}

async function* rowsOf(files: readonly string[], most: number): AsyncGenerator<Row, undefined> {
  let left = most;
  for (const file of files) {
    let number = 0;
    for await (const row of readCaptureFile(file)) {
      if (left-- === 0) return undefined;
      yield { row, file, number: number++ };
    }
  }
  return undefined;
}
