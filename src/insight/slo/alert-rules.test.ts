import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sloOf } from '../../../test/support/slos.js';
import { alertRules } from './alert-rules.js';

const folder = mkdtempSync(join(tmpdir(), 'penstock-rules-'));
afterAll(() => rmSync(folder, { recursive: true }));

const SLOS = [
  sloOf({
    name: 'answered',
    target: 0.999,
    minEvents: 100,
    runbook: 'see "the wiki":\nask',
    labels: { team: 'vision' },
  }),
  sloOf({
    name: 'm.x/fast',
    target: 0.99,
    windowDays: 7,
    objective: { kind: 'latency', underMs: 20 },
    model: undefined,
  }),
  sloOf({ name: 'right', target: 0.7, objective: { kind: 'quality', metric: 'quality', atLeast: undefined } }),
];

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

function promtool(...words: string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', words, { cwd: folder, encoding: 'utf8' });
  const said = `${stdout}${stderr}`;
  expect(status, said).toBe(0);
  return said;
}

describe('the rules of SLOs', () => {
  it('are the same for the same SLOs, in whatever order', () => {
    expect(alertRules([...SLOS].reverse())).toBe(alertRules(SLOS));
    expect(alertRules(SLOS)).toContain('runbook: "see \\"the wiki\\":\\nask"');
    expect(alertRules(SLOS)).toContain('{slo=~\\"m\\\\\\\\.x/fast\\"}[7d]');
  });

  it('ask for no more than can be reached', () => {
    // 14.4 times 30 % is more than all.
    expect(alertRules(SLOS)).toContain('penstock:slo_error_ratio:rate1h{slo="right"} >= 0.8');
  });

  it.skipIf(!hasPromtool)('are taken by Prometheus', () => {
    writeFileSync(join(folder, 'rules.yaml'), alertRules(SLOS));
    expect(promtool('check', 'rules', 'rules.yaml')).toMatch(/SUCCESS: 15 rules found/);
  });

  it.skipIf(!hasPromtool)('fire where the budget burns on both windows, over all replicas, and stop soon after', () => {
    writeFileSync(join(folder, 'rules.yaml'), alertRules(SLOS));
    // Two replicas, 60 events a minute each; one fails a tenth of its requests from the second hour to the fourth.
    const tests = {
      rule_files: ['rules.yaml'],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: [
            { series: 'penstock_slo_events_total{slo="answered",instance="a"}', values: '0+60x600' },
            { series: 'penstock_slo_good_total{slo="answered",instance="a"}', values: '0+60x600' },
            { series: 'penstock_slo_events_total{slo="answered",instance="b"}', values: '0+60x600' },
            {
              series: 'penstock_slo_good_total{slo="answered",instance="b"}',
              values: '0+60x120 7254+54x120 13794+60x400',
            },
            { series: 'penstock_slo_target_ratio{slo="answered",instance="a"}', values: '0.999x600' },
          ],
          alert_rule_test: [
            { eval_time: '1h55m', alertname: 'PenstockErrorBudgetBurnsFast', exp_alerts: [] },
            {
              eval_time: '3h55m',
              alertname: 'PenstockErrorBudgetBurnsFast',
              exp_alerts: [{ exp_labels: EXPECTED, exp_annotations: annotations('5%') }],
            },
            { eval_time: '5h30m', alertname: 'PenstockErrorBudgetBurnsFast', exp_alerts: [] },
          ],
          promql_expr_test: [
            {
              expr: 'round(penstock:slo_error_ratio:rate5m{slo="answered"} * 1e6)',
              eval_time: '3h55m',
              exp_samples: [{ labels: '{slo="answered"}', value: 50_000 }],
            },
          ],
        },
        {
          // As much, of too few events.
          interval: '1m',
          input_series: [
            { series: 'penstock_slo_events_total{slo="answered"}', values: '0+1x60' },
            { series: 'penstock_slo_good_total{slo="answered"}', values: '0x60' },
          ],
          alert_rule_test: [{ eval_time: '1h', alertname: 'PenstockErrorBudgetBurnsFast', exp_alerts: [] }],
        },
      ],
    };
    writeFileSync(join(folder, 'test.yaml'), JSON.stringify(tests));
    promtool('test', 'rules', 'test.yaml');
  });
});

const EXPECTED = { severity: 'page', slo: 'answered', model: 'm', objective: 'availability', team: 'vision' };

function annotations(bad: string) {
  return {
    summary: 'SLO answered burns its error budget: requests are answered, 99.9 % over 30 days',
    description: `${bad} of the events of the alert's long window were bad. \`penstock slo status\` shows how it stands.`,
    runbook: 'see "the wiki":\nask',
  };
}
