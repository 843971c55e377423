import type { FeedbackFigures } from '../core/index.js';
import { Family } from './family.js';

/** What is told of feedback, read when it is scraped. */
export function feedbackFamilies(read: () => FeedbackFigures): Family[] {
  const ofVersions = (value: 'predicted' | 'labelled') => () =>
    read().versions.map((row) => ({ labels: { model: row.model, version: String(row.version) }, value: row[value] }));
  return [
    new Family(
      'penstock_feedback_items_total',
      'counter',
      'Feedback by what became of it when it came.',
      () => Object.entries(read().outcomes).map(([outcome, value]) => ({ labels: { outcome }, value })),
      ['outcome'],
    ),
    new Family(
      'penstock_feedback_joined_early_total',
      'counter',
      'Feedback that came before its prediction and was joined with it in time.',
      () => [{ labels: {}, value: read().joinedEarly }],
    ),
    new Family('penstock_feedback_predictions', 'gauge', 'Predictions that feedback may still come for.', () => [
      { labels: {}, value: read().predictions },
    ]),
    new Family('penstock_feedback_waiting', 'gauge', 'Feedback that waits for its prediction.', () => [
      { labels: {}, value: read().waiting },
    ]),
    new Family(
      'penstock_feedback_unwritten',
      'gauge',
      'Predictions and feedback of rollouts with label guards that are not in the state file yet: a kill would lose them.',
      () => [{ labels: {}, value: read().unwritten }],
    ),
    new Family(
      'penstock_feedback_unjoinable_predictions_total',
      'counter',
      'Predictions of rollouts that feedback cannot be joined with: no request id, or one that another request had.',
      () => {
        const { unnamed, ambiguous } = read();
        return [
          { labels: { cause: 'no_id' }, value: unnamed },
          { labels: { cause: 'id_used_before' }, value: ambiguous },
        ];
      },
      ['cause'],
    ),
    new Family(
      'penstock_feedback_version_predictions_total',
      'counter',
      'Predictions of the model version under a rollout.',
      ofVersions('predicted'),
      ['model', 'version'],
    ),
    new Family(
      'penstock_feedback_version_labelled_total',
      'counter',
      'Predictions of the model version under a rollout that have feedback.',
      ofVersions('labelled'),
      ['model', 'version'],
    ),
  ];
}
