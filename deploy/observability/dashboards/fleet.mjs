// @ts-check
import { choice, dashboard, OF_INSTANCE, OF_MODEL, RECORDED } from './frame.mjs';
import { lines, number, row, table } from './panels.mjs';

/** All gateways and all models: is anything wrong, and where. */
export const fleet = dashboard({
  uid: 'penstock-fleet',
  title: 'Penstock / Fleet',
  description: 'All gateways and models: is anything wrong, and where. Start here.',
  variables: [choice('model', 'Model', `penstock_model_ready{${OF_INSTANCE}}`)],
})
  .withRow(row('Now'))
  .withPanel(
    number('Gateways up', { description: 'Instances that answer scrapes.' }, [
      'count(up{job=~"$job", instance=~"$instance"} == 1) or vector(0)',
      'up',
    ]),
  )
  .withPanel(
    number('Requests a second', { unit: 'reqps', description: 'Of all models, refused ones included.' }, [
      `sum(job_model:penstock_requests:rate5m{${RECORDED}})`,
      'requests',
    ]),
  )
  .withPanel(
    number(
      'Failed by the server, 1 h',
      {
        unit: 'percentunit',
        limit: 0.001,
        description:
          'Share of the requests of the worst model that failed by the server (HTTP 500, 503, 504) over an hour.',
      },
      [`max(job_model:penstock_failed_requests:ratio_rate1h{${RECORDED}})`, 'failed'],
    ),
  )
  .withPanel(
    number(
      'Longest wait',
      { unit: 's', limit: 1, description: 'How long the next request of the longest line has waited.' },
      [`max(penstock_queue_wait_seconds{${OF_MODEL}})`, 'wait'],
    ),
  )
  .withPanel(
    number(
      'Models not ready',
      { limit: 1, description: 'Models without a version that takes requests, summed over instances.' },
      [`count(max by (instance, model) (penstock_model_ready{${OF_MODEL}}) == 0) or vector(0)`, 'not ready'],
    ),
  )
  .withPanel(
    number('Alerts firing', { limit: 1, description: 'Alerts of deploy/observability/rules.' }, [
      'count(ALERTS{alertname=~"Penstock.*", alertstate="firing"}) or vector(0)',
      'alerts',
    ]),
  )
  .withRow(row('Service'))
  .withPanel(
    lines('Requests by model', { unit: 'reqps', stacked: true, description: 'Answered or not.' }, [
      `job_model:penstock_requests:rate5m{${RECORDED}}`,
      '{{model}}',
    ]),
  )
  .withPanel(
    lines(
      'Burn rate of the error budget (99.9 %)',
      {
        limit: 1,
        description:
          'How many times faster than allowed the error budget of 30 days is spent. 1 spends it exactly; 14.4 for an hour pages.',
      },
      [`job_model:penstock_failed_requests:ratio_rate1h{${RECORDED}} / 0.001`, '{{model}} 1 h'],
      [`job_model:penstock_failed_requests:ratio_rate6h{${RECORDED}} / 0.001`, '{{model}} 6 h'],
    ),
  )
  .withPanel(
    lines(
      'Error budgets of the SLOs',
      {
        unit: 'percentunit',
        max: 1,
        description: 'What is left, of the instance that has least. Empty where no SLO is configured.',
      },
      [`min by (slo) (penstock_slo_error_budget_remaining_ratio{${OF_INSTANCE}})`, '{{slo}}'],
    ),
  )
  .withPanel(
    lines(
      'Answered within, p99',
      { unit: 's', description: 'From first byte to encoded reply, by the histogram of all instances.' },
      [
        `histogram_quantile(0.99, sum by (model, le) (job_model_le:penstock_request_duration_seconds_bucket:rate5m{${RECORDED}}))`,
        '{{model}}',
      ],
    ),
  )
  .withPanel(
    lines(
      'Failures by reason',
      {
        unit: 'reqps',
        stacked: true,
        description: "Callers' mistakes included; refusals before a model was known apart.",
      },
      [
        `sum by (reason) (rate(penstock_requests_total{${OF_MODEL}, outcome="failure"}[$__rate_interval])) > 0`,
        '{{reason}}',
      ],
      [
        `sum by (reason) (rate(penstock_refused_requests_total{${OF_INSTANCE}}[$__rate_interval])) > 0`,
        'before a model: {{reason}}',
      ],
    ),
  )
  .withRow(row('Room'))
  .withPanel(
    lines(
      'A request that came now would be answered in',
      {
        unit: 's',
        description: "By the scheduler's forecast, the longest of all instances. What HPA and KEDA can scale by.",
      },
      [`job_model:penstock_predicted_finish_seconds:max{${RECORDED}}`, '{{model}}'],
    ),
  )
  .withPanel(
    lines(
      'Utilisation of the instances',
      { unit: 'percentunit', max: 1, description: 'Time in which executions ran over the executions that could.' },
      [`job_model:penstock_instance_utilisation:ratio_rate5m{${RECORDED}}`, '{{model}}'],
    ),
  )
  .withPanel(
    lines(
      'Refused for want of time or room',
      {
        unit: 'percentunit',
        limit: 0.05,
        description: 'QUEUE_FULL, OVERLOADED and DEADLINE_EXCEEDED over all requests.',
      },
      [`job_model:penstock_requests_refused:ratio_rate5m{${RECORDED}}`, '{{model}}'],
    ),
  )
  .withPanel(
    lines(
      'Threads busy',
      {
        unit: 'percentunit',
        max: 1,
        limit: 0.9,
        description: 'The control thread batches; ingress threads decode and answer.',
      },
      [`rate(penstock_event_loop_busy_seconds_total{${OF_INSTANCE}}[$__rate_interval])`, '{{instance}} {{thread}}'],
    ),
  )
  .withPanel(
    lines(
      'Traces',
      { unit: 'cps', description: 'Kept, by why; and what was to be kept or sent and was not.' },
      [
        `sum by (kept_for) (rate(penstock_traces_kept_total{${OF_INSTANCE}}[$__rate_interval]))`,
        'kept for {{kept_for}}',
      ],
      [`sum by (cause) (rate(penstock_traces_dropped_total{${OF_INSTANCE}}[$__rate_interval]))`, 'dropped: {{cause}}'],
      [
        `sum by (cause) (rate(penstock_spans_dropped_total{${OF_INSTANCE}}[$__rate_interval]))`,
        'spans lost: {{cause}}',
      ],
    ),
  )
  .withPanel(
    lines(
      'Payload log',
      {
        unit: 'cps',
        description: 'Rows that receivers took, and those that were dropped because one did not keep up.',
      },
      [`sum by (sink) (rate(penstock_payload_log_rows_total{${OF_INSTANCE}}[$__rate_interval]))`, '{{sink}}'],
      [
        `sum by (sink, cause) (rate(penstock_payload_log_dropped_total{${OF_INSTANCE}}[$__rate_interval]))`,
        '{{sink}} dropped: {{cause}}',
      ],
    ),
  )
  .withRow(row('Gateways'))
  .withPanel(
    table('Versions and their states', { description: 'One line for the state that each version is in.' }, [
      `penstock_model_state{${OF_MODEL}} == 1`,
      'in it',
    ]),
  )
  .withPanel(
    lines('Memory of the process', { unit: 'bytes', description: 'Resident, as the kernel counts it.' }, [
      `process_resident_memory_bytes{${OF_INSTANCE}}`,
      '{{instance}}',
    ]),
  )
  .withPanel(
    lines(
      'CPU of the process and the host',
      { unit: 'short', description: 'Cores that the process uses; share of the host that everybody uses.' },
      [`rate(process_cpu_seconds_total{${OF_INSTANCE}}[$__rate_interval])`, '{{instance}} cores'],
      [`penstock_device_utilisation_ratio{${OF_INSTANCE}, device="cpu"}`, '{{instance}} host'],
    ),
  )
  .withPanel(
    lines(
      'Threads and devices that failed',
      {
        bars: true,
        description: 'Ingress threads that ended by a fault; executions that failed for the sake of a device.',
      },
      [
        `increase(penstock_ingress_thread_failures_total{${OF_INSTANCE}}[$__rate_interval])`,
        '{{instance}} ingress thread',
      ],
      [`increase(penstock_device_faults_total{${OF_INSTANCE}}[$__rate_interval])`, '{{instance}} {{device}} {{fault}}'],
    ),
  );
