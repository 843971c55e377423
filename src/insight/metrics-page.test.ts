import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LABELS } from './label-vocabulary.js';
import { allFamilies, metricsPage, unitOf } from './metrics-page.js';

describe('the catalogue of metrics', () => {
  it('is current (penstock metrics-reference > src/insight/METRICS.md writes it)', () => {
    expect(readFileSync(join(import.meta.dirname, 'METRICS.md'), 'utf8')).toBe(metricsPage());
  });

  it('has every metric once, in base units', () => {
    const names = allFamilies().map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(50);
    for (const name of names.filter((own) => own.startsWith('penstock_'))) {
      expect(name).toMatch(/^[a-z_]+$/);
      expect(name).not.toMatch(/_(ms|us|ns|mb|kb|percent|milliseconds|microseconds|minutes|hours)(_total)?$/);
    }
  });

  it('says what every label is, and how many values it can have', () => {
    for (const { meaning, bound } of Object.values(LABELS)) {
      expect(meaning).not.toBe('');
      expect(bound).toMatch(/\d|of the|that are/);
    }
    expect(unitOf('penstock_execution_seconds_total')).toBe('seconds');
    expect(unitOf('nv_inference_queue_duration_us')).toBe('microseconds');
    expect(unitOf('penstock_requests_total')).toBe('count');
  });
});
