import type { AccessSums } from './access/access-figures.js';
import { Family } from './family.js';

/** What is told of the access log, read when it is scraped; nothing where there is none. */
export function accessFamilies(read: () => AccessSums | undefined): Family[] {
  return [
    new Family(
      'penstock_access_log_lines_total',
      'counter',
      'Lines of the access log handed to its destination.',
      () => {
        const sums = read();
        return sums === undefined ? [] : [{ labels: {}, value: sums.written }];
      },
    ),
    new Family(
      'penstock_access_log_dropped_total',
      'counter',
      'Requests that the access log lacks, by cause: busy = too many waited, write_failed = its destination took nothing.',
      () => Object.entries(read()?.dropped ?? {}).map(([cause, value]) => ({ labels: { cause }, value })),
    ),
  ];
}
