import { describe, expect, it } from 'vitest';
import { loadServerConfig } from './load.js';

const load = (cost: object, more: object = {}) => loadServerConfig({ flags: { cost, ...more } });
const devices = { cpu: { market: 1 } };
const budget = (changes: object = {}) => ({ name: 'b', model: 'm', amount: 1, ...changes });

describe('budgets', () => {
  it('are of a month, told at half, four fifths and all, and refuse nothing, unless it is said', () => {
    expect(load({ devices, budgets: [budget()] }).cost.budgets[0]).toEqual({
      ...budget(),
      per: 'month',
      alertAt: [0.5, 0.8, 1],
      action: 'alert',
    });
  });

  it.each([
    ['of nobody', { devices, budgets: [budget({ model: undefined })] }, /give one of them/],
    ['of a tenant and a model', { devices, budgets: [budget({ tenant: 't' })] }, /give one of them/],
    ['of nothing', { devices, budgets: [budget({ amount: 0 })] }, /more than 0/],
    ['of one name', { devices, budgets: [budget(), budget({ model: 'n' })] }, /two budgets are named 'b'/],
    ['without a price', { budgets: [budget()] }, /cost\.devices has no price/],
    ['without metering', { metering: false, devices, budgets: [budget()] }, /cost\.metering is false/],
    ['told to nobody known', { devices, budgets: [budget({ notify: ['ops'] })] }, /no webhook 'ops'/],
  ])('%s are refused', (_, cost, message) => {
    expect(() => load(cost)).toThrow(message);
  });

  it('of tenants are refused where nobody is believed to name one', () => {
    const cost = { devices, budgets: [{ name: 'b', tenant: 't', amount: 1 }] };
    expect(load(cost).cost.budgets).toHaveLength(1);
    expect(() => load(cost, { tenants: { source: 'off' } })).toThrow(/tenants\.source/);
  });

  it('carbon is one number or one of each hour', () => {
    const carbon = (gramsPerKwh: unknown) => load({ carbon: { gramsPerKwh } }).cost.carbon;
    expect(carbon(380)).toEqual({ gramsPerKwh: 380, pue: 1 });
    expect(carbon(new Array(24).fill(100)).gramsPerKwh).toHaveLength(24);
    expect(() => carbon([1, 2])).toThrow(/carbon/);
  });
});
