import type { CaptureFigures } from '../core/index.js';
import { Family } from './family.js';

/** What is told of captures, read when it is scraped; nothing where none can be made. */
export function captureFamilies(read: () => CaptureFigures | undefined): Family[] {
  const one = (value: 'written' | 'files' | 'bytes') => () => {
    const figures = read();
    return figures === undefined ? [] : [{ labels: {}, value: figures[value] }];
  };
  return [
    new Family('penstock_capture_rows_total', 'counter', 'Captured requests that lie in files.', one('written')),
    new Family('penstock_capture_files_total', 'counter', 'Files of captured requests written.', one('files')),
    new Family('penstock_capture_bytes_total', 'counter', 'Bytes of these files.', one('bytes')),
    new Family(
      'penstock_capture_dropped_total',
      'counter',
      'Sampled requests that were not captured, by cause.',
      () => Object.entries(read()?.dropped ?? {}).map(([cause, value]) => ({ labels: { cause }, value })),
      ['cause'],
    ),
  ];
}
