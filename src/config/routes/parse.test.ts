import { describe, expect, it } from 'vitest';
import type { ServingError } from '../../core/index.js';
import { parseModelRoutes } from './parse.js';

const WHOLE = `
labels: { stable: 1, next: 2 }
flags: { beta: true }
default: ab
splits:
  ab:
    arms:
      - { to: stable, percent: 90 }
      - { to: next, percent: 10 }
    key: { from: header, name: X-User }
    salt: 2026
rules:
  - name: testers
    when:
      all:
        - { of: { from: cookie, name: tester }, exists: true }
        - not: { of: { from: input, name: x }, above: 3 }
    to: next
    flag: beta
shadows:
  - { name: compare, to: 3, percent: 12.5 }
filters:
  - { name: odd, when: { of: { from: tenant }, equals: x }, block: not today, enabled: false }
  - name: known
    when: { of: { from: tenant }, equals: y }
    answer: [{ name: y, datatype: INT64, shape: [2], data: [1, '9007199254740993'] }]
  - { name: away, when: { of: { from: tenant }, equals: z }, reroute: stable, flag: beta }
fallback: { to: stable, after_ms: 200 }
ejection: { seconds: 900 }
`.replace('salt: 2026', "salt: '2026'");

function refusal(text: string, versions?: readonly number[]): string {
  try {
    parseModelRoutes(text, 'm/routes.yaml').refuseUnserved(versions ?? [1, 2, 3]);
  } catch (thrown) {
    const { reason, message } = thrown as ServingError;
    return `${reason} ${message}`;
  }
  return 'none';
}

describe('a routes document', () => {
  it('becomes plain data, whole, with its defaults', () => {
    const { routes } = parseModelRoutes(WHOLE, 'm/routes.yaml');
    const tenant = (name: string) => ({ of: { from: 'tenant' }, equals: name });
    const answer = { name: 'y', dataType: 'INT64', shape: [2], values: [1, '9007199254740993'] };
    expect(structuredClone(routes)).toEqual(routes);
    expect(routes).toEqual({
      labels: { stable: 1, next: 2 },
      flags: { beta: true },
      default: 'ab',
      splits: {
        ab: {
          arms: [
            { to: 'stable', percent: 90 },
            { to: 'next', percent: 10 },
          ],
          key: { from: 'header', name: 'x-user' },
          salt: '2026',
          flag: undefined,
        },
      },
      rules: [
        {
          name: 'testers',
          when: {
            all: [
              { of: { from: 'cookie', name: 'tester' }, exists: true },
              { not: { of: { from: 'input', name: 'x', index: 0 }, above: 3 } },
            ],
          },
          to: 'next',
          flag: 'beta',
        },
      ],
      shadows: [{ name: 'compare', to: 3, percent: 12.5, when: undefined, flag: undefined }],
      filters: [
        { name: 'odd', when: tenant('x'), action: { block: 'not today' }, enabled: false, flag: undefined },
        { name: 'known', when: tenant('y'), action: { answer: [answer] }, enabled: true, flag: undefined },
        { name: 'away', when: tenant('z'), action: { reroute: 'stable' }, enabled: true, flag: 'beta' },
      ],
      fallback: { to: 'stable', onError: true, afterMs: 200 },
      ejection: { consecutiveFailures: 5, errorPercent: 50, window: 100, seconds: 900, maxSeconds: 900 },
    });
  });

  it('may be JSON, or empty', () => {
    expect(parseModelRoutes('{"default": 2}', 'routes').routes.default).toBe(2);
    expect(parseModelRoutes('', 'routes').routes).toMatchObject({ default: undefined, rules: [] });
  });

  it.each([
    ['splits: [', /:1: /],
    ['defaults: 1', /:1: defaults: unknown field 'defaults', did you mean 'default'\?/],
    ['default: ab', /:1: default: no label or split 'ab'/],
    ['labels: { default: 1 }', /:1: labels.default.*taken/],
    [
      'splits:\n  ab:\n    arms:\n      - { to: 1, percent: 90 }\n      - { to: 2, percent: 9 }',
      /:3: splits.ab.arms: the percentages sum to 99, expected 100/,
    ],
    ['splits:\n  ab:\n    arms:\n      - { to: 1, percent: 99.999 }\n', /:4: .*steps of 0.01/],
    ['splits:\n  ab:\n    arms: [{ to: ab, percent: 100 }]', /:3: splits.ab.arms\[0\].to: 'ab' is a split/],
    [
      'rules:\n  - name: a\n    when: { of: { from: header, name: a } }\n    to: 1',
      /:3: rules\[0\].when: expected a comparison/,
    ],
    ['rules:\n  - name: a\n    when: { equals: 3 }\n    to: 1', /:3: rules\[0\].when: expected 'of'/],
    ['rules:\n  - name: a\n    when: { of: { from: nothing }, exists: true }\n    to: 1', /:3: rules\[0\].when.of/],
    [
      'rules:\n  - name: a\n    when: { of: { from: tenant }, exists: true }\n    to: 1\n    flag: b',
      /:5: rules\[0\].flag: no flag 'b'/,
    ],
    [
      'labels: { ab: 1 }\nsplits:\n  ab: { arms: [{ to: 1, percent: 100 }] }',
      /:3: splits.ab: a label is named 'ab' too/,
    ],
    [
      'filters:\n  - name: a\n    when: { of: { from: tenant }, exists: true }\n    block: no\n    reroute: 1',
      /:2: filters\[0\]: expected one of block, answer, reroute/,
    ],
    [
      'filters:\n  - name: a\n    when: { of: { from: tenant }, exists: true }\n    answer:\n      - { name: y, datatype: FP32, shape: [2],\n          data: [1] }',
      /:6: filters\[0\].answer\[0\].data: shape \[2\] has 2 elements, 1 are given/,
    ],
    ['fallback: { to: 9 }', /:1: fallback.to: version 9 is not served/],
    ['fallback: { to: 1, after_ms: 0 }', /:1: fallback.after_ms/],
    ['default: 7', /:1: default: version 7 is not served; served: 1, 2, 3/],
    ['shadows:\n  - { name: a, to: 1 }\n  - { name: a, to: 1 }', /:3: shadows\[1\].name: two shadows are named 'a'/],
  ])('%j is refused with the line at fault', (text, message) => {
    expect(refusal(text)).toMatch(/^MALFORMED_REQUEST m\/routes.yaml/);
    expect(refusal(text)).toMatch(message);
  });

  it('with conditions nested too deep is refused', () => {
    const deep = `${'{"not":'.repeat(9)}{"of":{"from":"tenant"},"exists":true}${'}'.repeat(9)}`;
    expect(refusal(`rules: [{name: a, to: 1, when: ${deep}}]`)).toMatch(/nested more than 8 deep/);
  });
});
