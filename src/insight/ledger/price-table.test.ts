import { describe, expect, it } from 'vitest';
import { devicesNamedIn, type PriceEntry, priceOf } from './price-table.js';

const TABLE: Readonly<Record<string, PriceEntry>> = {
  '*': { market: 9 },
  'cuda:*': { market: 2.5, spot: 0.95, use: 'spot' },
  'cuda:1': { purchase: { price: 30_000, years: 4, utilisation: 0.8 } },
};

describe('the price of a device', () => {
  it.each([
    ['cuda:1', 'amortised', 30_000 / (4 * 8766 * 0.8)],
    ['cuda:0', 'spot', 0.95],
    ['cpu', 'market', 9],
  ] as const)('of %s is that of the pattern that says most', (device, kind, perHour) => {
    expect(priceOf(device, TABLE)).toEqual({ kind, perHour });
  });

  it('is the first of market, amortised and spot where it is not said which is in use', () => {
    expect(priceOf('cpu', { cpu: { spot: 1, amortised: 2 } })).toEqual({ kind: 'amortised', perHour: 2 });
  });

  it('is none where the table has no pattern for it', () => {
    expect(priceOf('cpu', { 'cuda:*': { market: 1 } })).toEqual({ kind: 'none', perHour: 0 });
  });

  it('counts from the beginning for devices that are named one by one', () => {
    expect(devicesNamedIn(TABLE)).toEqual(['cuda:1']);
  });
});
