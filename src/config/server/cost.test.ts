import { describe, expect, it } from 'vitest';
import { cost } from './cost.js';

const faultOf = (devices: unknown, more: object = {}) =>
  cost.safeParse({ devices, ...more }).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);

describe('prices in the configuration', () => {
  it.each([
    [{ cpu: {} }, 'devices.cpu: expected a price: market, amortised, spot or purchase'],
    [{ cpu: { market: 1, use: 'spot' } }, "devices.cpu.use: the price 'spot' is to be used, but there is none"],
    [
      { cpu: { amortised: 1, purchase: { price: 1, years: 1 } } },
      'devices.cpu: amortised and purchase both say what an hour costs; give one of them',
    ],
    [{ cpu: { market: -1 } }, 'devices.cpu.market: Too small: expected number to be >=0'],
  ])('%j is refused, with what is wrong', (devices, message) => {
    expect(faultOf(devices)).toEqual([message]);
  });

  it('refuse devices that there cannot be, and currencies that are none', () => {
    expect(faultOf({ gpu0: { market: 1 } })?.[0]).toMatch(/^devices\.gpu0: /);
    expect(faultOf({}, { currency: 'euro' })).toEqual([
      'currency: expected three capital letters (ISO 4217), such as USD or EUR',
    ]);
  });

  it('take what was bought as its amortised price', () => {
    expect(faultOf({ 'cuda:*': { purchase: { price: 3e4, years: 4 }, use: 'amortised' } })).toBeUndefined();
  });
});
