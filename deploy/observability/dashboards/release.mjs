// @ts-check
import { choice, dashboard, OF_INSTANCE, OF_MODEL } from './frame.mjs';
import { lines, number, row, table } from './panels.mjs';

/** Rollouts: how far, on what evidence, and what keeps or tells of them. */
export const release = dashboard({
  uid: 'penstock-release',
  title: 'Penstock / Releases',
  description:
    'Rollouts: how far they are, how candidate and baseline compare, what came of copies and labels, whether notices arrive.',
  variables: [choice('model', 'Model', `penstock_model_ready{${OF_INSTANCE}}`)],
})
  .withRow(row('Rollouts'))
  .withPanel(
    number('Running', { description: 'Rollouts that have not ended.' }, [
      `count(penstock_rollout_running{${OF_MODEL}}) or vector(0)`,
      'running',
    ]),
  )
  .withPanel(
    number('Waiting for a person', { limit: 1, description: 'Paused.' }, [
      `count(penstock_rollout_running{${OF_MODEL}, state="paused"}) or vector(0)`,
      'paused',
    ]),
  )
  .withPanel(
    number('Promoted, 7 d', { description: 'Candidates that took the place of the baseline.' }, [
      `sum(increase(penstock_rollouts_ended_total{${OF_MODEL}, state="promoted"}[7d])) or vector(0)`,
      'promoted',
    ]),
  )
  .withPanel(
    number('Rolled back, 7 d', { limit: 1, description: 'Candidates that a guard or a person stopped.' }, [
      `sum(increase(penstock_rollouts_ended_total{${OF_MODEL}, state="rolled-back"}[7d])) or vector(0)`,
      'rolled back',
    ]),
  )
  .withPanel(
    table('Now', { description: 'Rollouts that have not ended and their states.', width: 8, height: 4 }, [
      `penstock_rollout_running{${OF_MODEL}} == 1`,
      'in it',
    ]),
  )
  .withPanel(
    lines(
      'Share of the candidate',
      {
        unit: 'percentunit',
        max: 1,
        description: 'Of the requests that it answers, and of those that are copied to it.',
      },
      [`penstock_rollout_canary_ratio{${OF_MODEL}}`, '{{model}} {{rollout}} answers'],
      [`penstock_rollout_shadow_ratio{${OF_MODEL}}`, '{{model}} {{rollout}} copies'],
    ),
  )
  .withPanel(
    lines('Answered by version', { unit: 'reqps', stacked: true, description: 'What the shares came to.' }, [
      `sum by (model, version) (rate(penstock_requests_total{${OF_MODEL}, outcome="success"}[$__rate_interval]))`,
      '{{model}} v{{version}}',
    ]),
  )
  .withRow(row('Guards: candidate beside baseline'))
  .withPanel(
    lines(
      'Failed by version',
      { unit: 'percentunit', description: 'Share of the requests that failed, for whatever reason.' },
      [
        `1 - sum by (model, version) (rate(penstock_requests_total{${OF_MODEL}, outcome="success"}[$__rate_interval])) / (sum by (model, version) (rate(penstock_requests_total{${OF_MODEL}}[$__rate_interval])) > 0)`,
        '{{model}} v{{version}}',
      ],
    ),
  )
  .withPanel(
    lines('Latency by version, p95', { unit: 's', description: 'From first byte to encoded reply.' }, [
      `histogram_quantile(0.95, sum by (model, version, le) (rate(penstock_request_duration_seconds_bucket{${OF_MODEL}}[$__rate_interval])))`,
      '{{model}} v{{version}}',
    ]),
  )
  .withPanel(
    lines(
      'Execution time of a row by version',
      { unit: 's', description: 'What a row takes of an instance: what a cost guard goes by.' },
      [
        `sum by (model, version) (rate(penstock_execution_seconds_total{${OF_MODEL}}[$__rate_interval])) / (sum by (model, version) (rate(penstock_batch_rows_sum{${OF_MODEL}}[$__rate_interval])) > 0)`,
        '{{model}} v{{version}}',
      ],
    ),
  )
  .withPanel(
    lines(
      'Labels of predictions under a rollout',
      { unit: 'cps', description: 'Predictions that feedback may come for, and those that have some.' },
      [
        `sum by (model, version) (rate(penstock_feedback_version_predictions_total{${OF_MODEL}}[$__rate_interval]))`,
        '{{model}} v{{version}} predicted',
      ],
      [
        `sum by (model, version) (rate(penstock_feedback_version_labelled_total{${OF_MODEL}}[$__rate_interval]))`,
        '{{model}} v{{version}} labelled',
      ],
    ),
  )
  .withRow(row('Shadow traffic'))
  .withPanel(
    lines(
      'Copies by what became of them',
      { unit: 'reqps', stacked: true, description: 'The answer agreed, differed, it failed, or the copy was dropped.' },
      [
        `sum by (model, version, outcome) (rate(penstock_shadow_requests_total{${OF_MODEL}}[$__rate_interval]))`,
        '{{model}} v{{version}} {{outcome}}',
      ],
    ),
  )
  .withPanel(
    lines('Device time of copies', { unit: 'percentunit', description: 'Seconds a second: what shadowing takes.' }, [
      `sum by (model, version) (rate(penstock_shadow_device_seconds_total{${OF_MODEL}}[$__rate_interval]))`,
      '{{model}} v{{version}}',
    ]),
  )
  .withRow(row('What keeps and tells of them'))
  .withPanel(
    lines('Notices to webhooks', { bars: true, description: 'Delivered, failed after all tries, dropped.' }, [
      `sum by (webhook, outcome) (increase(penstock_webhook_notices_total{${OF_INSTANCE}}[$__rate_interval]))`,
      '{{webhook}} {{outcome}}',
    ]),
  )
  .withPanel(
    lines(
      'Routes: second tries, ejections, filters',
      {
        unit: 'cps',
        description:
          'Requests that a filter answered, that were tried in the second place, or that made a version leave its splits.',
      },
      [
        `sum by (model, version, event) (rate(penstock_route_events_total{${OF_MODEL}}[$__rate_interval]))`,
        '{{model}} v{{version}} {{event}}',
      ],
    ),
  )
  .withPanel(
    lines(
      'Lost',
      {
        bars: true,
        description:
          'Outcomes that guards did not see, writes of the state that failed, predictions that no feedback can be joined with.',
      },
      [`increase(penstock_release_facts_lost_total{${OF_INSTANCE}}[$__rate_interval])`, '{{instance}} facts'],
      [`increase(penstock_state_write_failures_total{${OF_INSTANCE}}[$__rate_interval])`, '{{instance}} state'],
      [
        `sum by (cause) (increase(penstock_feedback_unjoinable_predictions_total{${OF_INSTANCE}}[$__rate_interval]))`,
        'feedback {{cause}}',
      ],
    ),
  )
  .withPanel(
    lines(
      'Captures',
      { unit: 'cps', description: 'Rows that lie in files, and what was sampled and not captured.' },
      [`sum(rate(penstock_capture_rows_total{${OF_INSTANCE}}[$__rate_interval]))`, 'captured'],
      [`sum by (cause) (rate(penstock_capture_dropped_total{${OF_INSTANCE}}[$__rate_interval]))`, 'dropped: {{cause}}'],
    ),
  );
