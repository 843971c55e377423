import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { ERRORS, type ErrorFacts } from '../../src/core/index.js';
import { figure } from './figure.js';
import { tool } from './prometheus.js';
import { readYaml, shipped, shippedIn, shippedRules } from './shipped.js';

interface RuleTests {
  readonly tests: readonly {
    readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts: readonly object[] }[];
  }[];
}

function passes(program: string, ...words: string[]): void {
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  expect(error).toBeUndefined();
  expect(status, `${stdout}${stderr}`).toBe(0);
}

it('fires every alert where it should, and not where it should not', () => {
  const files = shippedIn('rules', '.yml').map(shipped);
  passes(tool('promtool'), 'check', 'rules', ...files);
  const tests = shippedIn('rules/tests', '.yml');
  passes(tool('promtool'), 'test', 'rules', ...tests.map(shipped));

  const alerts = shippedRules().flatMap(({ alert }) => alert ?? []);
  const asked = tests.flatMap((name) => readYaml<RuleTests>(name).tests.flatMap((test) => test.alert_rule_test));
  const covered = (fires: boolean) =>
    new Set(asked.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname));
  expect(alerts.filter((name) => !covered(true).has(name))).toEqual([]);
  expect(alerts.filter((name) => !covered(false).has(name))).toEqual([]);
  figure(`${alerts.length} alerts fire and do not fire in ${asked.length} cases of promtool`);
});

it('says of every alert how bad it is, what it is and what to do', () => {
  for (const { alert, labels, annotations } of shippedRules()) {
    if (alert === undefined) continue;
    expect(labels?.severity, alert).toMatch(/^(page|ticket|info)$/);
    expect(annotations?.summary, alert).toMatch(/\{\{/);
    expect(annotations?.description?.length, alert).toBeGreaterThan(40);
  }
});

it('counts against availability what the table of errors says is the fault of the server, or late', () => {
  const spends = Object.entries(ERRORS)
    .filter(([, facts]: [string, ErrorFacts]) => [500, 503, 504].includes(facts.http))
    .map(([reason]) => reason);
  const of = shippedRules().filter(({ record }) => record?.includes('failed_requests'));
  expect(of.length).toBeGreaterThan(5);
  for (const { expr } of of) {
    const named = /reason=~"OK\|([A-Z_|]+)"/.exec(expr)?.[1]?.split('|');
    expect(named?.sort()).toEqual([...spends].sort());
  }
});

it('ships configurations that Prometheus and Alertmanager take', () => {
  passes(tool('promtool'), 'check', 'config', shipped('prometheus.yml'));
  passes(tool('amtool'), 'check-config', shipped('alertmanager.yml'));
});
