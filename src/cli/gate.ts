import type { GateReport, GoldenFigures } from '../core/index.js';
import { CliError, EXIT_CODES } from './exit-codes.js';
import type { CliIo, RunningServer } from './io.js';
import { readServeArguments, withoutListeners } from './serve.js';
import { textTable } from './text-table.js';

export interface GateOptions {
  /** Name of the model. */
  readonly model: string;
  readonly version: number;
  /** Served beside it; undefined: limits beside the version that serves do not count. */
  readonly baseline: number | undefined;
  readonly json: boolean;
}

/**
 * `penstock gate MODEL [DIR] --version N`: loads a version as `serve` would, opens no port, and says what its gates find.
 * Fails where they refuse it.
 */
export async function gate(options: GateOptions, args: readonly string[], io: CliIo): Promise<number> {
  const { config, notes } = readServeArguments(args, io);
  for (const note of notes) io.stderr.write(`penstock: ${note}\n`);
  const { model, version, baseline } = options;
  const versions = baseline === undefined ? [version] : [version, baseline];
  const closed = {
    ...withoutListeners(config),
    ingress: { ...config.ingress, threads: 0 as const },
    log: { ...config.log, info: false },
    modelControlMode: 'explicit' as const,
    loadModels: [model],
  };
  const server = await io.serve(closed, new Map([[model, versions]]));
  try {
    await server.ready;
    const report = await reportOf(server, options);
    io.stdout.write(options.json ? `${JSON.stringify(report)}\n` : text(report));
    return report.passed ? EXIT_CODES.done : EXIT_CODES.failed;
  } finally {
    await server.stop();
    await server.done;
  }
}

async function reportOf(server: RunningServer, { model, version, baseline }: GateOptions): Promise<GateReport> {
  const loaded = server.models().filter((entry) => entry.name === model);
  for (const wanted of baseline === undefined ? [] : [baseline]) {
    const row = loaded.find((entry) => entry.version === wanted);
    if (row?.state !== 'READY')
      throw new CliError(`version ${wanted} of '${model}' does not load: ${row?.reason ?? 'it is not there'}`);
  }
  return server.gate(model, version, baseline);
}

function text(report: GateReport): string {
  const { model, version, passed, faults, golden, card, signature } = report;
  const lines = [`${model} version ${version}: ${passed ? 'passes its gates' : 'is refused'}`];
  for (const fault of faults) lines.push(`  - ${fault}`);
  lines.push(
    `  model card: ${card}, signature: ${signature}, golden set: ${golden === undefined ? 'none was run' : ''}`,
  );
  if (golden === undefined) return `${lines.join('\n')}\n`;
  const rows = [golden.candidate, ...(golden.serving === undefined ? [] : [golden.serving])].map(row);
  const wrong = golden.candidate.wrong.map(({ name, why }) => `  wrong: ${name}: ${why}\n`).join('');
  return `${lines.join('\n')}\n${textTable(['VERSION', 'CASES', 'RIGHT', 'SLOWEST MS', 'MEAN MS', 'MODEL MS'], rows)}${wrong}`;
}

function row(figures: GoldenFigures): string[] {
  const { version, cases, right, slowestMs, meanMs, deviceMs } = figures;
  return [version, cases, right, slowestMs.toFixed(3), meanMs.toFixed(3), deviceMs.toFixed(3)].map(String);
}
