import { describe, expect, it } from 'vitest';
import type { ServingError } from '../../core/index.js';
import { parseModelSlos } from './parse.js';

function refusal(text: string): string {
  try {
    parseModelSlos(text, 'm/slo.yaml', 'm');
  } catch (thrown) {
    const { reason, message } = thrown as ServingError;
    return `${reason} ${message}`;
  }
  return 'none';
}

const one = (fields: string) => `slos:\n  - { name: a, targetPercent: 99, ${fields} }\n`;

describe('SLOs beside a model', () => {
  it('become plain data, with their defaults', () => {
    const slos = parseModelSlos(
      `slos:
  - { name: up, objective: availability, targetPercent: 99.9, labels: { team: vision }, notify: [pager] }
  - { name: fast, objective: latency, underMs: 25, route: beta, version: 2, targetPercent: 95, windowDays: 7 }
  - { name: right, objective: quality, targetPercent: 90 }
  - { name: dear, objective: cost, costPerRequest: 0.001, targetPercent: 99, minEvents: 0 }
  - { name: fresh, objective: freshness, maxAgeHours: 48, targetPercent: 99 }
`,
      'm/slo.yaml',
      'm',
    );
    expect(structuredClone(slos)).toEqual(slos);
    expect(slos.map(({ name, objective, target }) => ({ name, objective, target }))).toEqual([
      { name: 'm/up', objective: { kind: 'availability' }, target: 0.999 },
      { name: 'm/fast', objective: { kind: 'latency', underMs: 25 }, target: 0.95 },
      { name: 'm/right', objective: { kind: 'quality', metric: 'quality', atLeast: undefined }, target: 0.9 },
      { name: 'm/dear', objective: { kind: 'cost', perRequest: 0.001 }, target: 0.99 },
      { name: 'm/fresh', objective: { kind: 'freshness', of: 'version', maxAgeHours: 48 }, target: 0.99 },
    ]);
    expect(slos[0]).toMatchObject({
      model: 'm',
      windowDays: 30,
      minEvents: 10,
      labels: { team: 'vision' },
      notify: ['pager'],
    });
    expect(slos[1]).toMatchObject({ route: 'beta', version: 2, windowDays: 7, notify: undefined });
  });

  it.each([
    ['no objective', one('version: 1'), 'm/slo.yaml:2: slos[0].objective: expected one of availability'],
    ['one that there is not', one('objective: latncy'), "got 'latncy', did you mean 'latency'?"],
    [
      'a field of another objective',
      one('objective: availability, underMs: 3'),
      "slos[0].underMs: an objective 'availability' does not have it",
    ],
    ['no limit', one('objective: latency'), "slos[0].underMs: is required for an objective 'latency'"],
    ['a limit by route between buckets', one('objective: latency, underMs: 20, route: b'), 'one of 0.005, 0.01, 0.025'],
    ['a route of a cost', one('objective: cost, costPerRequest: 1, route: b'), 'not counted by route'],
    ['a value of no metric', one('objective: quality, atLeast: 1'), 'slos[0].metric: is required beside atLeast'],
    [
      'a label that alerts have',
      one('objective: availability, labels: { severity: x }'),
      'alerts have this label already',
    ],
    ['a target of all', 'slos:\n  - { name: a, objective: availability, targetPercent: 100 }\n', 'targetPercent'],
    [
      'a name that is no label',
      'slos:\n  - { name: A b, objective: availability, targetPercent: 99 }\n',
      'slos[0].name: expected lower-case',
    ],
    [
      'two of one name',
      `${one('objective: availability')}  - { name: a, objective: availability, targetPercent: 9 }\n`,
      "m/slo.yaml:3: slos[1].name: two SLOs are named 'a'",
    ],
    ['the model that it stands beside', one('objective: availability, model: m'), "unknown field 'model'"],
    ['no YAML', 'slos: [', 'm/slo.yaml:1'],
    ['nothing', '', 'is required'],
  ])('are refused for %s', (_, text, expected) => {
    const said = refusal(text);
    expect(said).toMatch(/^MODEL_INVALID m\/slo\.yaml/);
    expect(said).toContain(expected);
  });
});
