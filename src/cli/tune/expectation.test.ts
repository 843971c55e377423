import { describe, expect, it } from 'vitest';
import { bestPerSecond, chosenOf, expectedAt, payingRowsOf } from './expectation.js';
import { configToMeasure, suggestedConfig } from './tuned-config.js';
import { tuningHtml } from './tuning-html.js';
import type { MeasuredSetting, TuningResult } from './tuning-result.js';
import { tuningText } from './tuning-text.js';

/** A setting whose executions of b rows take `ms(b)`. */
function setting(ms: (rows: number) => number, instances = 1, threads = 1, sloMs?: number): MeasuredSetting {
  const sizes = [1, 2, 4, 8, 16].map((rows) => ({
    rows,
    meanMs: ms(rows),
    upperMs: ms(rows) * 1.05,
    p99Ms: ms(rows) * 1.2,
    rowsPerSecond: (instances * rows * 1000) / ms(rows),
    executions: 100,
  }));
  const measured = { instances, threads, device: 'cpu:0', sizes, payingRows: payingRowsOf(sizes) };
  return { ...measured, bestPerSecond: bestPerSecond(measured, sloMs) };
}

describe('what pays', () => {
  it('is the smallest batch near the highest rate', () => {
    expect(payingRowsOf(setting((rows) => 4 + 0.1 * rows).sizes)).toBe(16);
    expect(payingRowsOf(setting((rows) => 5 * rows).sizes)).toBe(1);
    expect(payingRowsOf(setting((rows) => (rows <= 4 ? 5 : 2 * rows)).sizes)).toBe(4);
  });
});

describe('the choice of a setting', () => {
  it('is the highest rate, and with an SLO the most requests answered in time', () => {
    const wide = setting((rows) => 40 + 0.1 * rows, 2, 1);
    const quick = setting((rows) => 4 + 3 * rows, 1, 2);
    expect(chosenOf([quick, wide])).toBe(wide);
    const within = [setting((rows) => 40 + 0.1 * rows, 2, 1, 30), setting((rows) => 4 + 3 * rows, 1, 2, 30)];
    expect(within.map(({ bestPerSecond: rate }) => rate > 0)).toEqual([false, true]);
    expect(chosenOf(within)).toBe(within[1]);
  });

  it('takes no more instances and threads for next to nothing', () => {
    const [one, four] = [setting((rows) => 4 + rows), setting((rows) => 15.8 + 3.95 * rows, 4, 1)];
    expect(four.bestPerSecond).toBeGreaterThan(one.bestPerSecond);
    expect(chosenOf([four, one])).toBe(one);
  });
});

describe('what is to be expected', () => {
  it('grows slower with the load, and is in time up to the rate that was found', () => {
    const loads = expectedAt(
      setting((rows) => 4 + 0.3 * rows, 2, 1, 30),
      30,
    );
    expect(loads.map(({ share }) => share)).toEqual([0.1, 0.3, 0.5, 0.7, 0.9, 1]);
    for (const { inTimeShare, p99Ms, p50Ms } of loads) {
      expect(inTimeShare).toBeGreaterThan(0.985);
      expect(p99Ms).toBeLessThan(31);
      expect(p50Ms).toBeGreaterThan(4);
    }
    expect(loads.at(-1)?.p50Ms).toBeGreaterThan(loads[0]?.p50Ms ?? 0);
  });

  it('is shown without an SLO up to nine tenths of the highest rate, and not where nothing is in time', () => {
    expect(
      expectedAt(
        setting((rows) => 4 + rows),
        undefined,
      ).map(({ share }) => share),
    ).toEqual([0.1, 0.3, 0.5, 0.7, 0.9]);
    expect(
      expectedAt(
        setting((rows) => 4 + rows, 1, 1, 2),
        2,
      ),
    ).toEqual([]);
  });
});

describe('the report', () => {
  const resultOf = (chosen: MeasuredSetting, sloMs?: number): TuningResult => ({
    penstockTune: 1,
    model: 'a<b',
    version: 3,
    from: 'here',
    machine: { cpu: 'a CPU', cores: 2 },
    ...(sloMs === undefined ? {} : { sloMs }),
    maxBatchSize: 16,
    measured: [chosen],
    chosen,
    expected: expectedAt(chosen, sloMs),
    suggestion: suggestedConfig({
      setting: { instances: 1, threads: 1 },
      kind: 'KIND_CPU',
      maxBatchSize: 16,
      limited: chosen.payingRows < 16,
      sloMs,
    }),
  });

  it('says what pays, and what larger batches are good for', () => {
    const text = tuningText(resultOf(setting((rows) => (rows <= 4 ? 5 : 2 * rows))));
    expect(text).toContain('batches of up to 4 rows pay (*), larger ones do not');
    expect(text).toContain('penstock.batch_limit');
    expect(tuningText(resultOf(setting((rows) => 5 * rows)))).toContain('batching does not pay: rows run one by one');
    expect(tuningText(resultOf(setting((rows) => 4 + 0.1 * rows)))).not.toContain('batch_limit');
  });

  it('says so where nothing can be answered within the SLO', () => {
    expect(
      tuningText(
        resultOf(
          setting((rows) => 4 + rows, 1, 1, 2),
          2,
        ),
      ),
    ).toMatch(/No load is answered within 2 ms: one row alone takes up to 5.25 ms/);
  });

  it('is one page of HTML whose texts cannot break it', () => {
    const page = tuningHtml(
      resultOf(
        setting((rows) => 4 + rows, 1, 1, 40),
        40,
      ),
    );
    expect(page).not.toContain('a<b');
    expect(page.match(/<svg /g)).toHaveLength(3);
    expect(page).not.toMatch(/NaN|undefined|(?:src|href)=/);
  });
});

describe('the config to measure by', () => {
  const shown = {
    max_batch_size: 8,
    input: [
      { name: 'ids', data_type: 'TYPE_INT64', dims: [-1] },
      { name: 'hint', data_type: 'TYPE_FP32', dims: [1], optional: true },
    ],
    instance_group: [{ kind: 'KIND_CPU' }],
    parameters: { intra_op_thread_count: { string_value: '4' } },
  };
  const changes = { version: 2, setting: { instances: 3, threads: 2 }, maxBatchSize: 8 };

  it('has the setting, one version, and a made sample of the shape that was given', () => {
    const made = JSON.parse(configToMeasure(shown, { ...changes, shapes: new Map([['ids', [1, 24]]]) }));
    expect(made).toMatchObject({
      version_policy: { specific: { versions: [2] } },
      instance_group: [{ kind: 'KIND_CPU', count: 3 }],
      parameters: { intra_op_thread_count: { string_value: '2' } },
      model_warmup: [{ batch_size: 1, inputs: { ids: { data_type: 'TYPE_INT64', dims: [24], random_data: true } } }],
    });
    expect(made.model_warmup[0].inputs.hint).toBeUndefined();
  });

  it('asks for the shape of an input that the model leaves open', () => {
    expect(() => configToMeasure(shown, { ...changes, shapes: new Map() })).toThrow(
      /input 'ids' has open axes \[-1\]: say their sizes, e.g. --shape ids=1,16/,
    );
  });
});
