// @ts-check
import { choice, dashboard, OF_INSTANCE, OF_MODEL, OF_VERSION, RECORDED } from './frame.mjs';
import { heat, lines, number, row } from './panels.mjs';

/** @param {string} selected @param {string} by */
const answered = (selected, by) =>
  `sum by (${by}) (rate(penstock_requests_total{${selected}, outcome="success"}[$__rate_interval]))`;

/** @param {number} q */
const quantile = (q) =>
  `histogram_quantile(${q}, sum by (model, version, le) (rate(penstock_request_duration_seconds_bucket{${OF_VERSION}}[$__rate_interval])))`;

/** One model: how fast, how well, where the time goes, what the scheduler does. */
export const model = dashboard({
  uid: 'penstock-model',
  title: 'Penstock / Model',
  description: 'One model: how fast, how well, where the time goes, how full its instances are.',
  variables: [
    choice('model', 'Model', `penstock_model_ready{${OF_INSTANCE}}`).multi(false).includeAll(false),
    choice('version', 'Version', `penstock_model_ready{${OF_MODEL}}`),
  ],
})
  .withRow(row('Objectives'))
  .withPanel(
    number(
      'Availability, 1 d',
      { unit: 'percentunit', description: 'Answered requests over all but those that their callers got wrong.' },
      [`1 - max(job_model:penstock_failed_requests:ratio_rate1d{${RECORDED}})`, 'available'],
    ),
  )
  .withPanel(
    number(
      'Burn rate, 1 h',
      { limit: 1, description: 'Of the error budget at 99.9 %: 1 spends it exactly in 30 days.' },
      [`max(job_model:penstock_failed_requests:ratio_rate1h{${RECORDED}}) / 0.001`, 'burn'],
    ),
  )
  .withPanel(
    number('Slower than 250 ms, 1 h', { unit: 'percentunit', limit: 0.01, description: 'Share of the answers.' }, [
      `max(job_model:penstock_slow_requests:ratio_rate1h{${RECORDED}})`,
      'slow',
    ]),
  )
  .withPanel(
    number('Answered a second', { unit: 'reqps', description: 'Of all instances.' }, [
      `sum(job_model:penstock_requests_answered:rate5m{${RECORDED}})`,
      'answered',
    ]),
  )
  .withPanel(
    number(
      'Answered in, now',
      { unit: 's', description: 'What a request that came now would take, by the forecast of the scheduler.' },
      [`max(penstock_predicted_finish_seconds{${OF_VERSION}})`, 'forecast'],
    ),
  )
  .withPanel(
    number('Utilisation', { unit: 'percentunit', limit: 0.9, description: 'Of the executions that could run.' }, [
      `max(job_model:penstock_instance_utilisation:ratio_rate5m{${RECORDED}})`,
      'busy',
    ]),
  )
  .withPanel(
    lines(
      'Burn rates of the SLOs',
      {
        limit: 1,
        height: 7,
        description:
          'Of those about this model and of those about all: 1 spends the budget just at the end of its window. An hour.',
      },
      [
        `max by (slo) (penstock_slo_burn_rate{${OF_INSTANCE}, window="1h"} * on (job, instance, slo) group_left () penstock_slo_info{${OF_INSTANCE}, model=~"$model|"})`,
        '{{slo}}',
      ],
    ),
  )
  .withPanel(
    lines(
      'Error budgets of the SLOs',
      {
        unit: 'percentunit',
        max: 1,
        height: 7,
        description: 'What is left of them, as far back as the process knows.',
      },
      [
        `min by (slo) (penstock_slo_error_budget_remaining_ratio{${OF_INSTANCE}} * on (job, instance, slo) group_left () penstock_slo_info{${OF_INSTANCE}, model=~"$model|"})`,
        '{{slo}}',
      ],
    ),
  )
  .withRow(row('Latency'))
  .withPanel(
    lines(
      'Quantiles',
      { unit: 's', description: 'From first byte to encoded reply. Points are exemplars: they lead to traces.' },
      [quantile(0.5), 'v{{version}} p50'],
      [quantile(0.95), 'v{{version}} p95'],
      [quantile(0.99), 'v{{version}} p99'],
    ),
  )
  .withPanel(
    heat(
      'All answers',
      { description: 'How many took how long.' },
      `sum by (le) (increase(penstock_request_duration_seconds_bucket{${OF_VERSION}}[$__rate_interval]))`,
    ),
  )
  .withPanel(
    lines(
      'Where the time goes, mean',
      {
        unit: 's',
        stacked: true,
        description:
          'decode and encode: bytes to tensors and back; queue: waiting for an instance; gather, dispatch, compute, scatter: the execution.',
      },
      [
        `sum by (stage) (rate(penstock_request_stage_duration_seconds_sum{${OF_VERSION}}[$__rate_interval])) / on () group_left () sum(rate(penstock_request_duration_seconds_count{${OF_VERSION}}[$__rate_interval]))`,
        '{{stage}}',
      ],
    ),
  )
  .withPanel(
    lines(
      'Slow requests',
      { unit: 'reqps', description: 'Those that the log of slow requests asks for, and those that have a line in it.' },
      [`sum by (version) (rate(penstock_slow_requests_total{${OF_VERSION}}[$__rate_interval]))`, 'v{{version}} slow'],
      [
        `sum by (version) (rate(penstock_slow_requests_logged_total{${OF_VERSION}}[$__rate_interval]))`,
        'v{{version}} logged',
      ],
    ),
  )
  .withRow(row('Requests'))
  .withPanel(
    lines(
      'Answered by version',
      { unit: 'reqps', stacked: true, description: 'A rollout shows as a change of shares.' },
      [answered(OF_VERSION, 'version'), 'v{{version}}'],
    ),
  )
  .withPanel(
    lines('Failures by reason', { unit: 'reqps', stacked: true, description: "The server's and the callers'." }, [
      `sum by (version, reason) (rate(penstock_requests_total{${OF_VERSION}, outcome="failure"}[$__rate_interval])) > 0`,
      'v{{version}} {{reason}}',
    ]),
  )
  .withPanel(
    lines('By route', { unit: 'reqps', stacked: true, description: 'Of models that have routes.' }, [
      `sum by (route, outcome) (rate(penstock_route_requests_total{${OF_VERSION}}[$__rate_interval]))`,
      '{{route}} {{outcome}}',
    ]),
  )
  .withPanel(
    lines(
      'Latency by route and priority, p99',
      { unit: 's', description: 'Of models that have routes, or levels of priority.' },
      [
        `histogram_quantile(0.99, sum by (route, le) (rate(penstock_route_request_duration_seconds_bucket{${OF_VERSION}}[$__rate_interval])))`,
        '{{route}}',
      ],
      [
        `histogram_quantile(0.99, sum by (priority, le) (rate(penstock_priority_request_duration_seconds_bucket{${OF_VERSION}}[$__rate_interval])))`,
        'priority {{priority}}',
      ],
    ),
  )
  .withRow(row('Scheduler'))
  .withPanel(
    lines(
      'The line',
      { description: 'Requests that wait; executions that run, and that could.' },
      [`sum by (version) (penstock_queue_depth{${OF_VERSION}})`, 'v{{version}} waiting'],
      [`sum by (version) (penstock_instance_slots_busy{${OF_VERSION}})`, 'v{{version}} running'],
      [`sum by (version) (penstock_instance_slots{${OF_VERSION}})`, 'v{{version}} could run'],
    ),
  )
  .withPanel(
    lines(
      'Waiting and forecast',
      {
        unit: 's',
        description: 'How long the next request has waited; in how long one that came now would be answered.',
      },
      [`max by (version) (penstock_queue_wait_seconds{${OF_VERSION}})`, 'v{{version}} next has waited'],
      [`max by (version) (penstock_predicted_finish_seconds{${OF_VERSION}})`, 'v{{version}} newcomer answered in'],
    ),
  )
  .withPanel(
    lines('Rows of an execution, mean', { description: 'What batching gathers.' }, [
      `sum by (version) (rate(penstock_batch_rows_sum{${OF_VERSION}}[$__rate_interval])) / sum by (version) (rate(penstock_batch_rows_count{${OF_VERSION}}[$__rate_interval]))`,
      'v{{version}}',
    ]),
  )
  .withPanel(
    lines('Padding', { unit: 'percentunit', description: 'Mean share of an execution that was padding.' }, [
      `sum by (version) (rate(penstock_batch_padding_ratio_sum{${OF_VERSION}}[$__rate_interval])) / sum by (version) (rate(penstock_batch_padding_ratio_count{${OF_VERSION}}[$__rate_interval]))`,
      'v{{version}}',
    ]),
  )
  .withPanel(
    lines(
      'Rows that come and that are answered',
      { unit: 'rowsps', description: 'Arrivals as the scheduler sees them; answers.' },
      [`sum by (version) (penstock_arriving_rows_per_second{${OF_VERSION}})`, 'v{{version}} come'],
      [`sum by (version) (rate(penstock_inferences_total{${OF_VERSION}}[$__rate_interval]))`, 'v{{version}} answered'],
    ),
  )
  .withPanel(
    lines(
      'Providers',
      {
        unit: 'percentunit',
        max: 1,
        description:
          'Share of the nodes of the graph by execution provider: a node on the CPU of a GPU model costs copies.',
      },
      [`avg by (version, provider) (penstock_model_provider_ratio{${OF_VERSION}})`, 'v{{version}} {{provider}}'],
    ),
  );
