import { describe, expect, it } from 'vitest';
import { type ExposedFamily, openMetricsText, wantsOpenMetrics } from './open-metrics.js';

describe('OpenMetrics', () => {
  it('has the series of the text form, exemplars, and an end', () => {
    const families: ExposedFamily[] = [
      { name: 'a_total', help: 'It\'s "a"\n', type: 'counter', values: [{ labels: { x: 'q"\\' }, value: 3 }] },
      { name: 'nv_count', help: 'Triton', type: 'counter', values: [{ labels: {}, value: 1 }] },
      {
        name: 'd_seconds',
        help: 'd',
        type: 'histogram',
        values: [
          {
            metricName: 'd_seconds_bucket',
            labels: { le: '+Inf' },
            value: 2,
            exemplar: { traceId: 'ab'.repeat(16), seconds: 0.25, atMs: 1_700_000_000_123 },
          },
          { metricName: 'd_seconds_count', labels: {}, value: 2 },
        ],
      },
      { name: 'g', help: '', type: 'gauge', values: [{ labels: {}, value: Number.NaN }] },
    ];
    expect(openMetricsText(families)).toBe(
      [
        '# TYPE a counter',
        '# HELP a It\'s \\"a\\"\\n',
        'a_total{x="q\\"\\\\"} 3',
        '# TYPE nv_count unknown',
        '# HELP nv_count Triton',
        'nv_count 1',
        '# TYPE d_seconds histogram',
        '# HELP d_seconds d',
        `d_seconds_bucket{le="+Inf"} 2 # {trace_id="${'ab'.repeat(16)}"} 0.25 1700000000.123`,
        'd_seconds_count 2',
        '# TYPE g gauge',
        '# HELP g ',
        'g NaN',
        '# EOF',
        '',
      ].join('\n'),
    );
  });

  it.each([
    ['', false],
    ['*/*', false],
    ['text/plain', false],
    ['application/openmetrics-text; version=1.0.0', true],
    ['application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1', true],
    ['text/plain, application/openmetrics-text;q=0.5', false],
    ['application/openmetrics-text;q=0', false],
  ])('is given to who asks for it rather than for text: %s', (accept, wanted) => {
    expect(wantsOpenMetrics(accept)).toBe(wanted);
  });
});
