import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { usableCores } from '../../machine/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { CliIo } from '../io.js';
import { bestPerSecond, chosenOf, expectedAt } from './expectation.js';
import { learnedByGateway } from './learned-by-gateway.js';
import { type Measurements, measureHere } from './measure-here.js';
import { suggestedConfig } from './tuned-config.js';
import { tuningHtml } from './tuning-html.js';
import type { MeasuredSetting, TuningResult } from './tuning-result.js';
import { tuningText } from './tuning-text.js';
import { writeSuggestion } from './write-suggestion.js';

/** `penstock tune` as it was asked for. */
export interface TuneOptions {
  /** Name, or an .onnx file. */
  readonly model: string;
  readonly repositories: readonly string[];
  readonly url?: string;
  readonly version?: number;
  readonly sloMs?: number;
  readonly seconds: number;
  readonly instances?: readonly number[];
  readonly threads?: readonly number[];
  readonly maxBatch?: number;
  readonly shapes: readonly string[];
  readonly json: boolean;
  readonly out?: string;
  readonly html?: string;
  readonly write: boolean;
}

/** `penstock tune`: measures a model, or asks a gateway what it has learned of it; says how to run it and what to expect. */
export async function tune(options: TuneOptions, io: CliIo): Promise<number> {
  if (options.url !== undefined) checkForGateway(options);
  const found =
    options.url === undefined ? await measureHere(options, io) : await learnedByGateway(options.url, options);
  const result = resultOf(found, options);
  for (const [file, content] of [
    [options.out, () => `${JSON.stringify(result)}\n`],
    [options.html, () => tuningHtml(result)],
  ] as const) {
    if (file !== undefined) writeOut(resolve(io.cwd, file), content());
  }
  io.stdout.write(options.json ? `${JSON.stringify(result)}\n` : tuningText(result));
  if (options.write && result.suggestion !== undefined) {
    const written = writeSuggestion(found.modelFolder, result.suggestion);
    io.stderr.write(`penstock: ${written}\n`);
  }
  return EXIT_CODES.done;
}

function resultOf(found: Measurements, options: TuneOptions): TuningResult {
  const sloMs = options.sloMs ?? (found.sloMs > 0 ? found.sloMs : undefined);
  const measured: MeasuredSetting[] = found.settings.map((setting) => ({
    ...setting,
    bestPerSecond: Number(bestPerSecond(setting, sloMs).toFixed(1)),
  }));
  const chosen = chosenOf(measured);
  const { instances, threads, payingRows, sizes } = chosen;
  const limited = payingRows < (sizes.at(-1)?.rows ?? 1);
  const { model, version, from, maxBatchSize, kind } = found;
  return {
    penstockTune: 1,
    model,
    version,
    from,
    ...(from === 'here'
      ? { machine: { cpu: cpus()[0]?.model.trim() ?? 'an unknown kind', cores: usableCores() } }
      : {}),
    ...(sloMs === undefined ? {} : { sloMs }),
    maxBatchSize,
    measured,
    chosen,
    expected: expectedAt(chosen, sloMs),
    ...(from === 'here'
      ? { suggestion: suggestedConfig({ setting: { instances, threads }, kind, maxBatchSize, limited, sloMs }) }
      : {}),
  };
}

/** Nothing is measured there, so nothing can be asked of the measurement. */
function checkForGateway({ instances, threads, maxBatch, shapes, repositories, write }: TuneOptions): void {
  const given = [
    [instances, '--instances'],
    [threads, '--threads'],
    [maxBatch, '--max-batch'],
    [shapes[0], '--shape'],
    [repositories[0], 'a repository'],
    [write || undefined, '--write'],
  ].find(([value]) => value !== undefined);
  if (given !== undefined)
    throw new CliError(
      `${String(given[1])} does not go with --url: the gateway there runs the model as it is configured; leave out --url to measure it here`,
      EXIT_CODES.usage,
    );
}

function writeOut(path: string, content: string): void {
  try {
    writeFileSync(path, content);
  } catch (thrown) {
    throw new CliError(`cannot write ${path} (${(thrown as NodeJS.ErrnoException).code}); name another file`);
  }
}
