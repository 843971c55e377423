import type { ProviderShares } from '../../core/index.js';
import { textTable } from '../text-table.js';
import type { Agreement } from './agreement.js';
import type { Gpu } from './gpu-machine.js';
import type { Speed } from './speed.js';
import { type Telemetry, telemetryText } from './telemetry.js';

/** What was found of one model. */
export interface ModelFindings {
  readonly name: string;
  /** Share of graph nodes by provider, of the session on the GPU; undefined where it could not be opened. */
  readonly providers: ProviderShares | undefined;
  readonly agreements: readonly Agreement[];
  readonly cpu: readonly Speed[];
  readonly cuda: readonly Speed[];
  /** The same on the GPU with tensors kept otherwise; speeds are empty where that did not work. */
  readonly modes: readonly {
    readonly name: string;
    readonly agreement: Agreement;
    readonly speeds: readonly Speed[];
  }[];
}

/** The result of `penstock gpu-check --json`; `native-bench/results/` keeps such files. */
export interface GpuReport {
  readonly format: 1;
  readonly date: string;
  readonly ok: boolean;
  /** What is wrong, for a person; empty where `ok`. */
  readonly problems: readonly string[];
  readonly versions: { readonly penstock: string; readonly node: string; readonly onnxRuntime: string };
  readonly gpu: Gpu & { readonly deviceId: number };
  readonly cpu: { readonly model: string; readonly cores: number; readonly intraOpThreads: number };
  readonly models: readonly ModelFindings[];
  /** What the GPU says of itself around the runs above. */
  readonly telemetry: Telemetry;
}

/** The report as a person reads it. */
export function reportText(report: GpuReport): string {
  const { gpu, cpu, versions } = report;
  const facts = [
    gpu.driver === undefined ? undefined : `driver ${gpu.driver}`,
    gpu.memoryMiB === undefined ? undefined : `${(gpu.memoryMiB / 1024).toFixed(0)} GiB`,
    gpu.computeCapability === undefined ? undefined : `compute capability ${gpu.computeCapability}`,
  ].filter((fact) => fact !== undefined);
  const threads = `${cpu.intraOpThreads === 0 ? 'all cores' : `${cpu.intraOpThreads} thread(s)`} an execution`;
  const lines = [
    `GPU ${gpu.deviceId}: ${[gpu.name, ...facts].join(', ')}`,
    `CPU: ${cpu.model}, ${cpu.cores} cores, ${threads}`,
    `Penstock ${versions.penstock}, ONNX Runtime ${versions.onnxRuntime}, Node ${versions.node}, ${report.date}`,
  ];
  const sections = report.models.map(modelText);
  const end = report.ok
    ? "OK: CUDA ran every node, and its answers are the CPU's within the tolerances\n"
    : `NOT OK\n${report.problems.map((problem) => `  ${problem}\n`).join('')}`;
  return [`${lines.join('\n')}\n`, ...sections, telemetryText(report.telemetry), end].join('\n');
}

function modelText(model: ModelFindings): string {
  const shares = Object.entries(model.providers ?? {}).map(
    ([name, share]) => `${name} ${(share * 100).toFixed(0)} % of nodes`,
  );
  const lines = [`${model.name}: ${shares.length === 0 ? 'did not open on the GPU' : shares.join(', ')}`];
  for (const { precision, comparisons, worst, tolerance, faults } of model.agreements) {
    const verdict = faults.length === 0 ? 'equal' : 'DIFFERENT';
    lines.push(
      `  ${precision}: ${verdict}, ${comparisons} outputs compared, largest difference ${worst.toExponential(1)} of the row's largest value (${tolerance} allowed)`,
    );
  }
  if (model.cpu.length === 0) return `${lines.join('\n')}\n`;
  const rows = model.cpu.map((cpu, i) => speedRow(cpu, model.cuda[i]));
  const table = textTable(['ROWS', 'CPU p50 us', 'GPU p50 us', 'RATIO', 'CPU rows/s', 'GPU rows/s', 'RATIO'], rows);
  return `${lines.join('\n')}\n${table}${model.modes.map((mode) => modeText(mode, model.cuda)).join('')}`;
}

/** How a mode compares with the default on the same GPU. */
function modeText({ name, speeds }: ModelFindings['modes'][number], cuda: readonly Speed[]): string {
  const rows = speeds.map((speed, i) => speedRow(cuda[i] as Speed, speed));
  if (rows.length === 0) return `  ${name}: did not run\n`;
  const heads = ['ROWS', 'default p50 us', 'p50 us', 'RATIO', 'default rows/s', 'rows/s', 'RATIO'];
  return `  ${name}, beside the default:\n${textTable(heads, rows)}`;
}

function speedRow(cpu: Speed, cuda: Speed | undefined): string[] {
  const whole = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(0));
  return [
    String(cpu.rows),
    whole(cpu.p50Us),
    whole(cuda?.p50Us),
    cuda === undefined ? '-' : (cpu.p50Us / cuda.p50Us).toFixed(2),
    whole(cpu.rowsPerSecond),
    whole(cuda?.rowsPerSecond),
    cuda === undefined ? '-' : (cuda.rowsPerSecond / cpu.rowsPerSecond).toFixed(2),
  ];
}
