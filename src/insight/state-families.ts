import type { StateFigures } from '../core/index.js';
import { Family } from './family.js';

/** What is told of the state that outlives the process, read when it is scraped. */
export function stateFamilies(read: () => StateFigures): Family[] {
  return [
    new Family('penstock_state_durable', 'gauge', 'Whether the state is in a file (1) or in memory only (0).', () => [
      { labels: {}, value: read().durable ? 1 : 0 },
    ]),
    new Family(
      'penstock_state_write_failures_total',
      'counter',
      'Changes of the state that could not be written: they were refused.',
      () => [{ labels: {}, value: read().writeFailures }],
    ),
  ];
}
