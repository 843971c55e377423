import type { PayloadFigures, SinkFigures } from '../core/index.js';
import { Family } from './family.js';

/** What is told of the payload log, read when it is scraped; nothing where there is none. */
export function payloadFamilies(read: () => PayloadFigures | undefined): Family[] {
  const ofSinks = (value: 'rows' | 'bytes' | 'files' | 'retries' | 'queuedBytes') => () =>
    sinksOf(read()).map((sink) => ({ labels: { sink: sink.name }, value: sink[value] }));
  return [
    new Family(
      'penstock_payload_log_rows_total',
      'counter',
      'Logged requests that lie in files, or that their receiver has taken.',
      ofSinks('rows'),
      ['sink'],
    ),
    new Family('penstock_payload_log_bytes_total', 'counter', 'Their bytes, as written or sent.', ofSinks('bytes'), [
      'sink',
    ]),
    new Family('penstock_payload_log_files_total', 'counter', 'Files written.', ofSinks('files'), ['sink']),
    new Family('penstock_payload_log_retries_total', 'counter', 'Calls and batches tried again.', ofSinks('retries'), [
      'sink',
    ]),
    new Family(
      'penstock_payload_log_queued_bytes',
      'gauge',
      'Bytes of rows that wait in a sink.',
      ofSinks('queuedBytes'),
      ['sink'],
    ),
    new Family(
      'penstock_payload_log_dropped_total',
      'counter',
      'Logged requests that a sink did not take, by cause: queue_full, failed, refused, closed.',
      () =>
        sinksOf(read()).flatMap(({ name, dropped }) =>
          Object.entries(dropped).map(([cause, value]) => ({ labels: { sink: name, cause }, value })),
        ),
      ['sink', 'cause'],
    ),
    new Family(
      'penstock_payload_log_skipped_total',
      'counter',
      'Sampled requests that were not logged (rate, busy), or without their elements (too_large), by cause.',
      () =>
        Object.entries(read()?.dropped ?? {})
          .filter(([cause]) => cause !== 'write_failed')
          .map(([cause, value]) => ({ labels: { cause }, value })),
      ['cause'],
    ),
  ];
}

function sinksOf(figures: PayloadFigures | undefined): readonly SinkFigures[] {
  return figures?.sinks ?? [];
}
