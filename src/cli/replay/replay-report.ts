import { textTable } from '../text-table.js';
import { type Latency, percent, type ReplayReport } from './replay-tally.js';

/** A replay for people. */
export function reportText(report: ReplayReport): string {
  const { model, candidate, passed, faults, replayed, skipped, failed, failures, compared, agreed } = report;
  const lines = [`${model}, candidate ${candidate}: ${passed ? 'passes' : 'does not pass'}`];
  for (const fault of faults) lines.push(`  - ${fault}`);
  const left = Object.entries(skipped).filter(([, count]) => count > 0);
  const without =
    left.length === 0
      ? ''
      : `; left out: ${left.map(([why, count]) => `${count} ${why.replaceAll('_', ' ')}`).join(', ')}`;
  lines.push(`  ${replayed} replayed, ${failed} failed${without}`);
  if (compared > 0)
    lines.push(`  ${agreed} of ${compared} answers agree (${percent(agreed / compared)})${spread(report)}`);
  for (const message of failures) lines.push(`  failed: ${message}`);
  for (const { file, row, id, maxAbsoluteError, maxRelativeError } of report.differences) {
    const named = id === '' ? '' : `, id ${id}`;
    lines.push(
      `  differs: row ${row} of ${file}${named}: by at most ${figure(maxAbsoluteError)}, relative ${figure(maxRelativeError)}`,
    );
  }
  const { captured, candidate: now, baseline } = report.latencyMs;
  const rows = [
    ['captured (in the gateway)', captured],
    ['baseline (here)', baseline],
    ['candidate (here)', now],
  ].flatMap(([name, latency]) => (latency === undefined ? [] : [row(name as string, latency as Latency)]));
  const table = rows.length === 0 ? '' : textTable(['LATENCY MS', 'P50', 'P90', 'P99', 'MAX'], rows);
  return `${lines.join('\n')}\n${table}`;
}

function spread({
  topCompared,
  topAgreed,
  maxAbsoluteError,
  maxRelativeError,
  rankCorrelation,
  totalVariation,
}: ReplayReport): string {
  const parts = [`largest error ${figure(maxAbsoluteError)}, relative ${figure(maxRelativeError)}`];
  if (topCompared > 0) parts.push(`top agrees in ${percent(topAgreed / topCompared)}`);
  if (rankCorrelation !== undefined) parts.push(`rank correlation ${rankCorrelation.toFixed(4)}`);
  if (totalVariation !== undefined) parts.push(`total variation ${totalVariation.toFixed(4)}`);
  return `; ${parts.join(', ')}`;
}

function row(name: string, { p50, p90, p99, max }: Latency): string[] {
  return [name, ...[p50, p90, p99, max].map((ms) => ms.toFixed(3))];
}

function figure(value: number): string {
  return value >= Number.MAX_VALUE ? 'a number to none' : String(Number(value.toPrecision(3)));
}
