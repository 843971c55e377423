import { textTable } from '../text-table.js';
import type { ExpectedLoad, MeasuredSetting, TuningResult } from './tuning-result.js';

const BAR = 32;

/** Requests a second of small tensors that about one core of the gateway decodes and answers. */
const GATEWAY_PER_SECOND = 20_000;

/** The result as a person reads it: curves with a bar for their rates, the choice, what to expect of it. */
export function tuningText(result: TuningResult): string {
  const { model, version, machine, sloMs, measured, chosen, expected, suggestion, from } = result;
  const where = machine === undefined ? `as ${from} has learned it` : `on ${machine.cores} cores of ${machine.cpu}`;
  const most = Math.max(...measured.flatMap(({ sizes }) => sizes.map(({ rowsPerSecond }) => rowsPerSecond)));
  const parts = [`${model} version ${version}, ${where}\n`];
  for (const setting of measured) parts.push(`${settingLine(setting, sloMs)}\n${curveTable(setting, most)}`);
  parts.push(`${choiceLine(chosen, measured.length, sloMs)}\n`);
  if (expected.length > 0) {
    const aim = sloMs === undefined ? 'without an SLO' : `with an SLO of ${sloMs} ms`;
    parts.push(
      `To be expected ${aim} (simulated, Poisson arrivals of one row; decoding and network not counted)\n${loadTable(expected)}`,
    );
    if (chosen.bestPerSecond > GATEWAY_PER_SECOND)
      parts.push(
        `At such rates decoding and transport are the limit, not the model: penstock bench run --model ${model} shows it.\n`,
      );
  } else if (sloMs !== undefined) {
    parts.push(
      `No load is answered within ${sloMs} ms: one row alone takes up to ${shown(chosen.sizes[0]?.upperMs ?? 0)} ms.\n`,
    );
  }
  if (suggestion !== undefined) parts.push(`Config (config.pbtxt)\n${indented(suggestion.pbtxt)}`);
  return parts.join('\n');
}

/** `2 instances of 1 thread on cpu:0`. */
export function nameOf({ instances, threads, device }: MeasuredSetting): string {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;
  return `${count(instances, 'instance')}${threads === undefined ? '' : ` of ${count(threads, 'thread')}`}${device === '' ? '' : ` on ${device}`}`;
}

function settingLine(setting: MeasuredSetting, sloMs: number | undefined): string {
  const rate = Math.round(setting.bestPerSecond).toLocaleString('en-US');
  const aim = sloMs === undefined ? `at most ${rate} rows/s` : `${rate} requests/s within ${sloMs} ms`;
  return `${nameOf(setting)}: ${aim}${setting.carrier === undefined ? '' : `; carried by ${setting.carrier}`}`;
}

function curveTable({ sizes, payingRows }: MeasuredSetting, most: number): string {
  const rows = sizes.map(({ rows, meanMs, upperMs, p99Ms, rowsPerSecond }) => [
    `${rows}${rows === payingRows ? ' *' : ''}`,
    shown(meanMs),
    shown(upperMs),
    p99Ms === undefined ? '-' : shown(p99Ms),
    String(Math.round(rowsPerSecond)),
    bar(rowsPerSecond / most),
  ]);
  return textTable(
    ['  ROWS', 'MEAN MS', 'P90 MS', 'P99 MS', 'ROWS/S', ''],
    rows.map(([first, ...rest]) => [`  ${first}`, ...rest]),
  );
}

function choiceLine(chosen: MeasuredSetting, of: number, sloMs: number | undefined): string {
  const { payingRows, sizes } = chosen;
  const largest = sizes.at(-1)?.rows ?? 1;
  const batches =
    payingRows === 1
      ? 'batching does not pay: rows run one by one'
      : payingRows < largest
        ? `batches of up to ${payingRows} rows pay (*), larger ones do not`
        : `batches pay up to ${payingRows} rows (*)`;
  const best = of === 1 ? nameOf(chosen) : `Best of ${of}: ${nameOf(chosen)}`;
  return `${best}; ${batches}${sloMs === undefined ? '' : `; SLO ${sloMs} ms`}`;
}

function loadTable(expected: readonly ExpectedLoad[]): string {
  const hasSlo = expected.some(({ inTimeShare }) => inTimeShare !== undefined);
  const header = ['  REQUESTS/S', 'LOAD', 'P50 MS', 'P99 MS', 'ROWS A BATCH', ...(hasSlo ? ['IN TIME'] : [])];
  return textTable(
    header,
    expected.map(({ offeredPerSecond, share, p50Ms, p99Ms, rowsPerBatch, inTimeShare }) => [
      `  ${offeredPerSecond >= 100 ? Math.round(offeredPerSecond) : offeredPerSecond}`,
      `${Math.round(share * 100)} %`,
      shown(p50Ms),
      shown(p99Ms),
      String(rowsPerBatch),
      ...(inTimeShare === undefined ? [] : [`${(inTimeShare * 100).toFixed(1)} %`]),
    ]),
  );
}

/** A bar of eighths of a character, at least a sliver. */
function bar(share: number): string {
  const eighths = Math.max(Math.round(share * BAR * 8), 1);
  return '█'.repeat(eighths >> 3) + (eighths % 8 === 0 ? '' : ' ▏▎▍▌▋▊▉'[eighths % 8]);
}

/** Three digits that count. */
export function shown(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms >= 1 ? ms.toFixed(2) : ms.toFixed(3);
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
