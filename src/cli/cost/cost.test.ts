import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cliRun } from '../../../test/support/cli-run.js';
import { FakeLedger } from '../../../test/support/fake-ledger.js';
import { expectAddsUp } from '../../../test/support/printed-costs.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import type { CostReport } from '../../core/index.js';
import { EnergyMeter, Rollups } from '../../insight/index.js';
import { StateStore } from '../../store/index.js';
import { decimalsFor, moneyText, roundedTo, unitsOf } from './money.js';

describe('rounded amounts', () => {
  it('add up to the rounded sum, each at most one unit off', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 6 }),
        (amounts, decimals) => {
          const units = unitsOf(
            amounts.reduce((sum, one) => sum + one, 0),
            decimals,
          );
          const rounded = roundedTo(units, amounts, decimals);
          return (
            rounded.reduce((sum, one) => sum + one, 0) === units &&
            rounded.every((one, i) => Math.abs(one - amounts[i]! * 10 ** decimals) < 1 + 1e-6)
          );
        },
      ),
    );
  });

  it('have enough digits for a small amount, and cents for a large one', () => {
    const shown = (amount: number) => moneyText(unitsOf(amount, decimalsFor(amount)), decimalsFor(amount));
    expect([0, 0.000012345678, 0.5, 3.14259, 12_345.678].map(shown)).toEqual([
      '0.00',
      '0.000012346',
      '0.50000',
      '3.1426',
      '12345.68',
    ]);
  });
});

describe('penstock cost on the state of a gateway that ended', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'penstock-cost-'));
    const store = new StateStore({ file: join(folder, 'state.db'), make: 'now', log: new SilentLog() });
    const ledger = new FakeLedger(Date.now() - 7_200_000, { cpu: 0.0777, 'cuda:0': 2.99 });
    let joules = 0;
    const rollups = new Rollups({
      ledger,
      store: store.costs,
      keeps: true,
      energy: new EnergyMeter({
        read: () => [
          {
            device: 'cuda:0',
            product: undefined,
            energyJoules: joules,
            powerWatts: undefined,
            powerLimitWatts: undefined,
            memoryUsedBytes: undefined,
            memoryTotalBytes: undefined,
            utilisation: undefined,
            temperatureCelsius: undefined,
          },
        ],
      }),
      carbonOf: (used) => (used / 3.6e6) * 400,
      log: new SilentLog(),
      run: 'run',
      keep: { hours: 100, days: 100 },
    });
    for (let minute = 0; minute < 117; minute++) {
      ledger.pass(61, [
        [{ model: 'mlp', tenant: '=team,"a"' }, 3.1, { requests: 17, aloneSeconds: 9 }],
        [{ model: 'mlp', kind: 'padding' }, 0.7],
        [{ model: 'cnn', device: 'cuda:0', version: 2 }, 11.3, { requests: 3 }],
        [{ model: 'cnn', device: 'cuda:0', version: 3, kind: 'shadow' }, 1.3, { requests: 1 }],
        [{ model: 'trees', kind: 'warm_up' }, 0.013],
      ]);
      joules += 4000;
      rollups.write(ledger.atMs);
    }
    store.close();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (words: string) => cliRun(`cost --state-dir ${folder} ${words}`.trim());

  it('prints a table whose columns add up to its last line, rows to their total, and devices to that', async () => {
    for (const words of ['', '--group model,version,tenant', '--by hour --group device', '--group none']) {
      const { code, out, err } = await run(words);
      expect([code, err]).toEqual([0, '']);
      expect(expectAddsUp(out)).toEqual(['DIRECT', 'PADDING', 'WARM-UP', 'SHADOW', 'IDLE', 'TOTAL USD']);
      expect(out).toMatch(/^batching saved [\d.]+ USD/m);
      expect(out).toMatch(/^shadowing cost [\d.]+ USD/m);
    }
  });

  it('prints JSON with all digits, which is the price times the time', async () => {
    const report = JSON.parse((await run('--json --group model,kind,device')).out) as CostReport;
    const priced = (117 * 61 * (0.0777 + 2.99)) / 3600;
    expect(report.total.amount / priced).toBeCloseTo(1, 12);
    expect(report.rows.reduce((sum, { amount }) => sum + amount, 0) / priced).toBeCloseTo(1, 12);
    expect(report.conservationError).toBeLessThan(1e-12);
    // From the first write on, before which nobody had read the counter.
    expect(report.total.energyJoules).toBeCloseTo(117 * 4000, 6);
    const withEnergy = report.rows.filter(({ energyJoules }) => energyJoules !== undefined);
    expect(new Set(withEnergy.map(({ device }) => device))).toEqual(new Set(['cuda:0']));
    expect(report.total.carbonGrams).toBeCloseTo(((117 * 4000) / 3.6e6) * 400, 9);
  });

  it('prints CSV that keeps names as they are', async () => {
    const { out } = await run('--csv --group model,tenant');
    const [header, ...rows] = out.trimEnd().split('\r\n');
    expect(header).toMatch(/^model,tenant,currency,amount,direct,waste,idle,device_seconds,.*,waste_padding,/);
    expect(rows).toContainEqual(expect.stringMatching(/^mlp,"'=team,""a""",USD,/));
    expect(
      rows.every((row) => row.replaceAll(/"([^"]|"")*"/g, 'text').split(',').length === header!.split(',').length),
    ).toBe(true);
  });

  it.each([
    ['--group planet', /expected some of model, version/],
    ['--by week', /Allowed choices are hour, day, total/],
    ['--from yesterday', /expected a date or an instant/],
    ['--since 5', /expected e\.g\. 90m, 24h or 30d/],
    ['--since 5h --from 2026-11-01', /cannot be used with/],
    ['--csv --json', /only one of them/],
    ['--url http://x', /cannot be used with/],
    ['--from 2026-11-02 --to 2026-11-01', /"from" is not before "to"/],
  ])('refuses %s', async (words, message) => {
    const { code, err } = await run(words);
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
  });

  it('says where there is no state', async () => {
    const { code, err } = await cliRun(`cost --state-dir ${folder}/nothing`);
    expect([code, err]).toEqual([2, expect.stringMatching(/there is no state\.db in it/)]);
  });

  it('says that nothing was spent where nothing was', async () => {
    const { code, out } = await run('--from 2020-01-01 --to 2020-01-02');
    expect([code, out]).toEqual([0, expect.stringMatching(/nothing was spent/)]);
  });
});
