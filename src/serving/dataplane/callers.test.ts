import { describe, expect, it } from 'vitest';
import { request } from '../../../test/support/specs.js';
import { CRITICALITIES, DEFAULT_CRITICALITY, NOBODY, OTHERS } from '../../core/index.js';
import { type Believed, Callers, Tenants } from './index.js';

const SECOND = 1e9;

function callers(source: Believed, criticality: Believed = 'any') {
  const weights = { gold: 4, silver: 2 };
  return new Callers({
    tenants: { source, name: 'x-penstock-tenant', weights, maxUnlisted: 0 },
    criticality: { source: criticality },
  });
}

describe('whom a request is answered for', () => {
  const header = { tenantHeader: 'gold' };
  const parameter = { parameters: { 'x-penstock-tenant': 'silver' } };

  it.each([
    ['off', { ...header, ...parameter }, ''],
    ['header', { ...header, ...parameter }, 'gold'],
    ['header', parameter, ''],
    ['parameter', { ...header, ...parameter }, 'silver'],
    ['parameter', header, ''],
    ['any', { ...header, ...parameter }, 'gold'],
    ['any', parameter, 'silver'],
    ['any', { tenantHeader: '', ...parameter }, 'silver'],
  ] as const)('is read where the configuration believes it: %s', (source, told, name) => {
    expect(callers(source).tenantOf(request(told)).name).toBe(name);
  });

  it('is nobody where nothing says it, and one place for all whom the configuration does not list', () => {
    const known = callers('header');
    expect(known.tenantOf(request())).toBe(NOBODY);
    expect(known.tenantOf(request({ tenantHeader: 'made-up' }))).toBe(OTHERS);
    expect(known.tenantOf(request({ tenantHeader: 'made-up-too' }))).toBe(OTHERS);
    expect(known.tenantOf(request({ tenantHeader: '(others)' }))).toBe(OTHERS);
    expect(known.tenantOf(request({ tenantHeader: 'gold' }))).toBe(known.tenantOf(request({ tenantHeader: 'gold' })));
  });
});

describe('how much a request matters', () => {
  it.each([
    ...CRITICALITIES.map((name, level) => [name, level] as const),
    ['CRITICAL_PLUS', 0],
    ['Sheddable-Plus', 3],
  ] as const)('is read in any spelling: %s', (text, level) => {
    expect(callers('off').criticalityOf(request({ criticalityHeader: text }))).toBe(level);
    expect(callers('off').criticalityOf(request({ parameters: { 'x-penstock-criticality': text } }))).toBe(level);
  });

  it('is the default where nothing says it, or nothing is believed', () => {
    expect(callers('off').criticalityOf(request())).toBe(DEFAULT_CRITICALITY);
    const critical = request({ criticalityHeader: 'critical' });
    expect(callers('off', 'off').criticalityOf(critical)).toBe(DEFAULT_CRITICALITY);
    expect(callers('off', 'parameter').criticalityOf(critical)).toBe(DEFAULT_CRITICALITY);
  });

  it('is refused where there is no such level', () => {
    expect(() => callers('off').criticalityOf(request({ criticalityHeader: 'urgent' }))).toThrow(
      'x-penstock-criticality: expected critical_plus, critical, default, sheddable_plus, sheddable, came "urgent"',
    );
  });
});

describe('tenants that are not listed', () => {
  it('have a place of their own up to a number; whoever invents names shares one with all others', () => {
    const tenants = new Tenants({ weights: {}, maxUnlisted: 3 });
    const [a, b, c] = ['a', 'b', 'c'].map((name) => tenants.named(name, 0));
    expect(new Set([a?.index, b?.index, c?.index]).size).toBe(3);
    for (let i = 0; i < 10_000; i++) expect(tenants.named(`made-up-${i}`, SECOND)).toBe(OTHERS);
    expect(tenants.named('b', SECOND)).toBe(b);
  });

  it('give their place to another when they were not seen for a minute', () => {
    const tenants = new Tenants({ weights: {}, maxUnlisted: 2 });
    const [a, b] = [tenants.named('a', 0), tenants.named('b', 50 * SECOND)];
    expect(tenants.named('c', 59 * SECOND)).toBe(OTHERS);
    const c = tenants.named('c', 61 * SECOND);
    expect([c.name, c.index]).toEqual(['c', a.index]);
    expect(tenants.named('b', 62 * SECOND)).toBe(b);
    expect(tenants.named('a', 63 * SECOND)).toBe(OTHERS);
  });

  it('are remembered by 64 characters of their name', () => {
    const tenants = new Tenants({ weights: {}, maxUnlisted: 2 });
    expect(tenants.named('x'.repeat(4000), 0).name).toHaveLength(64);
  });
});
