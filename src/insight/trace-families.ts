import { Family } from './family.js';
import type { TraceSums } from './traces/trace-figures.js';

/** What is told of traces, read when it is scraped; nothing where none are made. */
export function traceFamilies(read: () => TraceSums | undefined): Family[] {
  const by = (label: string, counts: (sums: TraceSums) => Readonly<Record<string, number>>) => () => {
    const sums = read();
    if (sums === undefined) return [];
    return Object.entries(counts(sums)).map(([name, value]) => ({ labels: { [label]: name }, value }));
  };
  return [
    new Family(
      'penstock_traces_kept_total',
      'counter',
      'Traces kept, by why: their head was drawn, their request failed, it took long.',
      by('kept_for', ({ kept }) => kept),
      ['kept_for'],
    ),
    new Family(
      'penstock_traces_dropped_total',
      'counter',
      'Traces that were to be kept and were not, by cause: rate = over tracing.maxTracesPerSecond, busy = the exporting thread is behind.',
      by('cause', ({ dropped }) => dropped),
      ['cause'],
    ),
    new Family('penstock_spans_exported_total', 'counter', 'Spans that the collector took.', () => {
      const sums = read();
      return sums === undefined ? [] : [{ labels: {}, value: sums.exported }];
    }),
    new Family(
      'penstock_spans_dropped_total',
      'counter',
      'Spans that the collector did not get, by cause: queue_full, export_failed, exit = the process ended first.',
      by('cause', ({ lost }) => lost),
      ['cause'],
    ),
  ];
}
