import type { ModelVersionId, SequencesReport } from '../core/index.js';
import { Family, type Sample } from './family.js';

/** The sequences of one version. */
export interface VersionSequences {
  readonly id: ModelVersionId;
  readonly report: SequencesReport;
}

const ENDS = ['ended', 'restarted', 'expired', 'broken'] as const;

/** The sequences of models that serve them, read when it is scraped. */
export function sequenceFamilies(read: () => Iterable<VersionSequences>): Family[] {
  const each = (samples: (report: SequencesReport, labels: Record<string, string>) => Iterable<Sample>) =>
    function* () {
      for (const { id, report } of read()) yield* samples(report, { model: id.model, version: String(id.version) });
    };
  const gauge = (name: string, help: string, value: (report: SequencesReport) => number) =>
    new Family(
      name,
      'gauge',
      help,
      each((report, labels) => [{ labels, value: value(report) }]),
      ['model', 'version'],
    );
  return [
    gauge('penstock_sequence_slots', 'Sequences that the model version can serve at once.', ({ slots }) => slots),
    gauge('penstock_sequence_slots_busy', 'Slots that have a sequence now.', ({ slotsInUse }) => slotsInUse),
    gauge('penstock_sequences_waiting', 'Sequences that wait for a slot.', ({ backlog }) => backlog),
    gauge('penstock_sequence_state_bytes', 'State that is kept for sequences.', ({ stateBytes }) => stateBytes),
    new Family(
      'penstock_sequences_begun_total',
      'counter',
      'Sequences that were begun.',
      each((report, labels) => [{ labels, value: report.begun }]),
      ['model', 'version'],
    ),
    new Family(
      'penstock_sequences_over_total',
      'counter',
      'Sequences that are over: ended by their client, restarted by it, expired (idle for too long), or broken by anything else.',
      each((report, labels) => ENDS.map((outcome) => ({ labels: { ...labels, outcome }, value: report[outcome] }))),
      ['model', 'version', 'outcome'],
    ),
  ];
}
