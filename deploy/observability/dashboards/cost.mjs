// @ts-check
import { choice, dashboard, OF_INSTANCE, OF_MODEL } from './frame.mjs';
import { lines, number, row, table } from './panels.mjs';

const LINE = `${OF_MODEL}, tenant=~"$tenant"`;
/** In the currency of the ledger, an hour. @param {string} rate */
const anHour = (rate) => `${rate} * 3600`;

/** Money: who spends it, what for, what is wasted, does it add up. */
export const cost = dashboard({
  uid: 'penstock-cost',
  title: 'Penstock / Cost',
  description:
    'What devices cost, by model, tenant and purpose; what is wasted or idle; budgets. In the currency of the price table (label currency).',
  variables: [
    choice('model', 'Model', `penstock_model_ready{${OF_INSTANCE}}`),
    choice('tenant', 'Tenant', `penstock_cost_device_seconds_total{${OF_MODEL}}`),
  ],
})
  .withRow(row('Now'))
  .withPanel(
    number('Devices, an hour', { description: 'Price of all devices, used or not.' }, [
      `sum(penstock_cost_price_per_hour{${OF_INSTANCE}})`,
      'an hour',
    ]),
  )
  .withPanel(
    number('Spent, 24 h', { description: 'Used, wasted and idle.' }, [
      `sum(increase(penstock_cost_device_amount_total{${OF_INSTANCE}}[24h]))`,
      'spent',
    ]),
  )
  .withPanel(
    number(
      'Asked for',
      { unit: 'percentunit', description: 'Share of the money that went into what callers got, over the last hour.' },
      [
        `sum(increase(penstock_cost_amount_total{${OF_INSTANCE}, kind="direct"}[1h])) / sum(increase(penstock_cost_device_amount_total{${OF_INSTANCE}}[1h]))`,
        'direct',
      ],
    ),
  )
  .withPanel(
    number('A thousand requests', { description: 'What is booked directly, over the requests, in the last hour.' }, [
      `1000 * sum(increase(penstock_cost_amount_total{${LINE}, kind="direct"}[1h])) / sum(increase(penstock_cost_requests_total{${LINE}, kind="direct"}[1h]))`,
      'per 1000',
    ]),
  )
  .withPanel(
    number(
      'Batching saved, 1 h',
      { unit: 'percentunit', description: 'Of the time that the same requests would have taken one by one.' },
      [
        `1 - sum(increase(penstock_cost_device_seconds_total{${LINE}, kind="direct"}[1h])) / (sum(increase(penstock_cost_alone_seconds_total{${LINE}}[1h])) > 0)`,
        'saved',
      ],
    ),
  )
  .withPanel(
    number(
      'Does not add up by',
      {
        unit: 'percentunit',
        limit: 1e-6,
        description: 'Direct + waste + idle against price times time: rounding, or something was not booked.',
      },
      [`max(abs(penstock_cost_conservation_error_ratio{${OF_INSTANCE}}))`, 'error'],
    ),
  )
  .withRow(row('Who and what for'))
  .withPanel(
    lines(
      'Models, an hour',
      { stacked: true, description: 'Everything that is booked on them, waste included, without idle.' },
      [anHour(`sum by (model) (rate(penstock_cost_amount_total{${LINE}}[$__rate_interval]))`), '{{model}}'],
    ),
  )
  .withPanel(
    lines('Tenants, an hour', { stacked: true, description: 'What they asked for and got; waste is not theirs.' }, [
      anHour(`sum by (tenant) (rate(penstock_cost_amount_total{${LINE}, kind="direct"}[$__rate_interval]))`),
      '{{tenant}}',
    ]),
  )
  .withPanel(
    lines(
      'Purposes, an hour',
      {
        stacked: true,
        description:
          'direct: what callers got; padding, failed, retried, warm-up: waste; canary and shadow: releases; idle: nothing ran.',
      },
      [anHour(`sum by (kind) (rate(penstock_cost_amount_total{${LINE}}[$__rate_interval]))`), '{{kind}}'],
      [anHour(`sum(rate(penstock_cost_idle_amount_total{${OF_INSTANCE}}[$__rate_interval]))`), 'idle'],
    ),
  )
  .withPanel(
    lines(
      'Busy devices',
      { unit: 'percentunit', max: 1, description: 'Each instant once, however many executions overlap.' },
      [
        `rate(penstock_cost_busy_seconds_total{${OF_INSTANCE}}[$__rate_interval]) / rate(penstock_cost_elapsed_seconds_total{${OF_INSTANCE}}[$__rate_interval])`,
        '{{instance}} {{device}}',
      ],
    ),
  )
  .withPanel(
    table(
      'Models and tenants, 24 h',
      { width: 12, height: 9, description: 'Money, device time, requests and rows.' },
      [`sum by (model, version, tenant, kind) (increase(penstock_cost_amount_total{${LINE}}[24h]))`, 'money'],
      [
        `sum by (model, version, tenant, kind) (increase(penstock_cost_device_seconds_total{${LINE}}[24h]))`,
        'device s',
      ],
      [`sum by (model, version, tenant, kind) (increase(penstock_cost_requests_total{${LINE}}[24h]))`, 'requests'],
      [`sum by (model, version, tenant, kind) (increase(penstock_cost_rows_total{${LINE}}[24h]))`, 'rows'],
    ),
  )
  .withPanel(
    lines(
      'Idle, an hour, by who pays',
      { stacked: true, height: 9, description: 'By the policy of the price table; without a model: nobody.' },
      [
        anHour(`sum by (model) (rate(penstock_cost_idle_amount_total{${OF_INSTANCE}}[$__rate_interval]))`),
        'idle: {{model}}',
      ],
    ),
  )
  .withRow(row('Budgets'))
  .withPanel(
    lines('Used of the running period', { unit: 'percentunit', limit: 1, description: 'By budget.' }, [
      `max by (budget) (penstock_budget_used_ratio{${OF_INSTANCE}})`,
      '{{budget}}',
    ]),
  )
  .withPanel(
    lines('Refused because a budget was used up', { unit: 'reqps', description: 'QUOTA_EXCEEDED.' }, [
      `sum by (budget) (rate(penstock_budget_refused_requests_total{${OF_INSTANCE}}[$__rate_interval]))`,
      '{{budget}}',
    ]),
  );
