import type { Figures } from './catalogue.js';
import { readers } from './catalogue.js';
import { Family } from './family.js';

/** How a response cache stands. */
export interface ResponseCacheFigures {
  readonly maxBytes: number;
  readonly bytes: number;
  readonly entries: number;
  readonly evictions: number;
}

/** Answers that were used again, and the cache that they come from; undefined: the server has none. */
export function reuseFamilies(figures: Figures, cache: () => ResponseCacheFigures | undefined): Family[] {
  const { each } = readers(figures);
  const one = (name: string, kind: 'gauge' | 'counter', help: string, value: (cache: ResponseCacheFigures) => number) =>
    new Family(name, kind, help, () => {
      const state = cache();
      return state === undefined ? [] : [{ labels: {}, value: value(state) }];
    });
  return [
    one(
      'penstock_response_cache_bytes',
      'gauge',
      'Bytes of answers that are kept for identical requests.',
      (c) => c.bytes,
    ),
    one('penstock_response_cache_max_bytes', 'gauge', 'Bytes of answers that may be kept.', (c) => c.maxBytes),
    one('penstock_response_cache_entries', 'gauge', 'Answers that are kept.', (c) => c.entries),
    one(
      'penstock_response_cache_evictions_total',
      'counter',
      'Answers that were given up for newer ones.',
      (c) => c.evictions,
    ),
    new Family(
      'penstock_coalesced_requests_total',
      'counter',
      'Requests that waited for an identical one in the place of being computed.',
      () =>
        each(({ reusedFigures: reuse }, labels) => (reuse === undefined ? [] : [{ labels, value: reuse.followers }])),
      ['model', 'version'],
    ),
  ];
}
