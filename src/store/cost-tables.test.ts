import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seeded } from '../../test/support/seeded-random.js';
import { SilentLog } from '../../test/support/silent-log.js';
import { DAY_MS, HOUR_MS, type RollupBatch, type RollupLine } from '../core/index.js';
import { StateStore } from './state-store.js';

const USD = { currency: 'USD', fromMs: 0, toMs: Number.MAX_SAFE_INTEGER };

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'penstock-costs-'));
  file = join(folder, 'state.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function inStore<T>(work: (store: StateStore) => T, linesOfPeriod = 1000): T {
  const costLimits = { linesOfPeriod, runs: 3, notices: 3 };
  const store = new StateStore({ file, make: 'now', log: new SilentLog(), costLimits });
  try {
    return work(store);
  } finally {
    store.close();
  }
}

const line = (changes: Partial<RollupLine> = {}): RollupLine => ({
  device: 'cpu',
  model: 'm',
  version: 1,
  tenant: '',
  route: '',
  kind: 'direct',
  deviceSeconds: 1,
  amount: 0.1,
  requests: 3,
  rows: 4,
  aloneSeconds: 2,
  energyJoules: undefined,
  carbonGrams: undefined,
  ...changes,
});
const device = {
  device: 'cpu',
  elapsedSeconds: 1,
  busySeconds: 1,
  amount: 0.1,
  direct: 0.1,
  waste: 0,
  idle: 0,
  energyJoules: undefined,
  carbonGrams: undefined,
};
const batch = (sequence: number, startMs: number, lines: readonly RollupLine[] = [line()], run = 'r'): RollupBatch => ({
  run,
  sequence,
  sinceMs: 0,
  atMs: sequence,
  currency: 'USD',
  hours: [{ startMs, spanMs: HOUR_MS, lines, devices: [device] }],
});

describe('sums of costs', () => {
  it('grow by each batch once, over restarts', () => {
    inStore(({ costs }) => {
      costs.add(batch(1, 0));
      costs.add(batch(1, 0));
      costs.add(batch(2, 0));
    });
    inStore(({ costs }) => {
      expect(costs.sequenceOf('r')).toBe(2);
      costs.add(batch(2, 0));
      costs.add(batch(1, 0, [line()], 'another run'));
      const all = { ...USD, dimensions: ['model', 'version', 'kind', 'device'] as const, periods: true };
      expect(costs.lines(all)).toEqual([
        {
          ...line({ deviceSeconds: 3, amount: expect.closeTo(0.3, 12), requests: 9, rows: 12, aloneSeconds: 6 }),
          startMs: 0,
          spanMs: HOUR_MS,
        },
      ]);
      expect(costs.devices(USD)).toEqual([expect.objectContaining({ elapsedSeconds: 3, energyJoules: undefined })]);
    });
  });

  it('tell nothing of energy where there was no counter, and what there was where there was one for a while', () => {
    inStore(({ costs }) => {
      const models = { ...USD, dimensions: ['model'] as const, periods: false };
      costs.add(batch(1, 0, [line(), line({ model: 'g', energyJoules: 5 })]));
      costs.add(batch(2, 0, [line(), line({ model: 'g' })]));
      expect(costs.lines(models).map(({ model, energyJoules }) => [model, energyJoules])).toEqual([
        ['g', 5],
        ['m', undefined],
      ]);
    });
  });

  it('are bounded: lines beyond the limit of a period are added up, also when it is gone on with after a restart', () => {
    const many = (from: number) => Array.from({ length: 30 }, (_, i) => line({ tenant: `t${from + i}` }));
    inStore(({ costs }) => costs.add(batch(1, 0, many(0))), 20);
    inStore(({ costs }) => {
      costs.add(batch(2, 0, many(10)));
      const rows = costs.lines({ ...USD, dimensions: ['model', 'tenant', 'kind'], periods: true });
      expect(rows).toHaveLength(21);
      expect(rows.find(({ model }) => model === '(others)')).toMatchObject({ kind: 'direct', deviceSeconds: 30 });
      expect(rows.reduce((sum, { deviceSeconds }) => sum + deviceSeconds, 0)).toBe(60);
    }, 20);
  });

  it('become days hour by hour, and go when they are too old', () => {
    inStore(({ costs }) => {
      for (let hour = 0; hour < 72; hour++) costs.add(batch(hour + 1, hour * HOUR_MS));
      let moves = 0;
      while (costs.compact(2 * DAY_MS + 5 * HOUR_MS, 0)) moves++;
      expect(moves).toBe(48);
      const rows = costs.devices(USD);
      expect(rows.filter(({ spanMs }) => spanMs === DAY_MS).map((row) => [row.startMs, row.elapsedSeconds])).toEqual([
        [0, 24],
        [DAY_MS, 24],
      ]);
      expect(rows).toHaveLength(26);
      expect(costs.compact(2 * DAY_MS, 2 * DAY_MS)).toBe(true);
      expect(costs.devices(USD)[0]?.startMs).toBe(DAY_MS);
      expect(costs.currencies()).toEqual([{ currency: 'USD', fromMs: DAY_MS, toMs: 3 * DAY_MS }]);
    });
  });

  it('note what was told of a budget once', () => {
    inStore(({ costs }) => {
      expect([costs.noteOnce('b', 1, 0.5), costs.noteOnce('b', 1, 0.5), costs.noteOnce('b', 2, 0.5)]).toEqual([
        true,
        false,
        true,
      ]);
    });
    inStore(({ costs }) => {
      expect(costs.noteOnce('b', 2, 0.5)).toBe(false);
      for (let period = 3; period < 9; period++) costs.noteOnce('b', period, 0.5);
      expect(costs.noteOnce('b', 1, 0.5)).toBe(true);
    });
  });
});

// The compiled store, since a fresh process does not read TypeScript.
const STORE = new URL('../../dist/store/index.js', import.meta.url).href;
const KILLS = 15;

/** Adds batches of two hours and 40 lines, and says the number of each after. */
const WRITER = `
  const { StateStore } = await import(${JSON.stringify(STORE)});
  const { writeSync } = await import('node:fs');
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const store = new StateStore({ file: process.argv[1], make: 'now', log });
  const [run, hourMs] = [process.argv[2], ${HOUR_MS}];
  const [line, device] = ${JSON.stringify([line(), device])};
  for (let sequence = 1; ; sequence++) {
    const lines = Array.from({ length: 20 }, (_, i) => ({ ...line, tenant: String(i) }));
    const hours = [0, 1].map((hour) => ({ startMs: hour * hourMs, spanMs: hourMs, lines, devices: [device] }));
    store.costs.add({ run, sequence, sinceMs: 0, atMs: sequence, currency: 'USD', hours });
    writeSync(1, sequence + '\\n');
  }`;

it(`has every batch whole and once where its writer is killed, ${KILLS} times`, { timeout: 120_000 }, async () => {
  const random = seeded(5);
  let batches = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const run = `run ${kill}`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, file, run]);
    const least = 1 + Math.floor(random() * 40);
    let said = 0;
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      said = Number(text.trimEnd().split('\n').at(-1));
      if (said >= least) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('close', resolve));
    inStore(({ costs }) => {
      const held = costs.sequenceOf(run);
      expect(held).toBeGreaterThanOrEqual(said);
      expect(held).toBeLessThanOrEqual(said + 1);
      batches += held;
      const lines = costs.lines({ ...USD, dimensions: ['tenant'], periods: true });
      expect(lines.map(({ deviceSeconds }) => deviceSeconds)).toEqual(new Array(40).fill(batches));
      expect(costs.devices(USD).map(({ elapsedSeconds }) => elapsedSeconds)).toEqual([batches, batches]);
    });
  }
});
