import type { RolloutFigures } from '../core/index.js';
import { Family } from './family.js';

/** What is told of rollouts, read when it is scraped. */
export function rolloutFamilies(read: () => RolloutFigures): Family[] {
  const share = (of: 'canaryPercent' | 'shadowPercent') => () =>
    read().running.map((row) => ({ labels: { model: row.model, rollout: row.id }, value: row[of] / 100 }));
  return [
    new Family(
      'penstock_rollout_running',
      'gauge',
      'Rollouts that have not ended, by their state.',
      () => read().running.map(({ model, id, state }) => ({ labels: { model, rollout: id, state }, value: 1 })),
      ['model', 'rollout', 'state'],
    ),
    new Family(
      'penstock_rollout_canary_ratio',
      'gauge',
      'Share of the requests that the candidate of a rollout answers.',
      share('canaryPercent'),
      ['model', 'rollout'],
    ),
    new Family(
      'penstock_rollout_shadow_ratio',
      'gauge',
      "Share of the baseline's requests that are copied to the candidate of a rollout.",
      share('shadowPercent'),
      ['model', 'rollout'],
    ),
    new Family(
      'penstock_rollouts_ended_total',
      'counter',
      'Rollouts that ended, by how: promoted or rolled-back.',
      () => read().ended.map(({ model, state, count }) => ({ labels: { model, state }, value: count })),
      ['model', 'state'],
    ),
    new Family(
      'penstock_webhook_notices_total',
      'counter',
      'Notices (moves of rollouts, budgets) by webhook and what became of them: delivered, failed after all tries, dropped as too many waited.',
      () =>
        read().webhooks.flatMap(({ name, delivered, failed, dropped }) =>
          Object.entries({ delivered, failed, dropped }).map(([outcome, value]) => ({
            labels: { webhook: name, outcome },
            value,
          })),
        ),
      ['webhook', 'outcome'],
    ),
    new Family(
      'penstock_webhook_waiting',
      'gauge',
      'Notices that a webhook has not taken yet.',
      () => read().webhooks.map(({ name, waiting }) => ({ labels: { webhook: name }, value: waiting })),
      ['webhook'],
    ),
  ];
}
