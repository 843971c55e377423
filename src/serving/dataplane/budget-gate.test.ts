import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { request } from '../../../test/support/specs.js';
import { BudgetBoard, ServingError } from '../../core/index.js';
import { BudgetGate, Callers, Dataplane } from './index.js';

const BUDGETS = [
  { name: 'team', tenant: 'a' },
  { name: 'heavy', model: 'mlp' },
  { name: 'team-day', tenant: 'a' },
];

function gate() {
  const clock = new FakeClock();
  const board = new BudgetBoard(BUDGETS.length);
  const callers = new Callers({
    tenants: { source: 'header', name: 'x-penstock-tenant', weights: { a: 1, b: 1 }, maxUnlisted: 0 },
    criticality: { source: 'off' },
  });
  const budgets = new BudgetGate({ budgets: BUDGETS, board, callers, clock });
  const ask = (model: string, tenantHeader = '') => budgets.refusal(request({ model, tenantHeader }));
  return { clock, board, budgets, ask };
}

describe('a budget that is used up', () => {
  it('refuses the requests of its tenant or model alone, with the time until it begins anew', () => {
    const { clock, board, ask } = gate();
    expect(ask('mlp', 'a')).toBeUndefined();
    board.set(0, clock.wallMs() + 60_000);
    expect(ask('cnn', 'a')).toMatchObject({ reason: 'QUOTA_EXCEEDED', retryAfterMs: 60_000 });
    expect(ask('cnn', 'a')?.message).toMatch(/the budget 'team' of tenant 'a' is used up until \d{4}-/);
    expect([ask('cnn', 'b'), ask('cnn'), ask('cnn', 'who')]).toEqual([undefined, undefined, undefined]);
    board.set(1, clock.wallMs() + 5000);
    expect(ask('mlp', 'b')).toBeInstanceOf(ServingError);
    expect(board.takeRefused(1)).toBe(1);
  });

  it('holds until the last of those that refuse ends, and then no longer', () => {
    const { clock, board, ask } = gate();
    board.set(0, clock.wallMs() + 60_000);
    board.set(1, clock.wallMs() + 5000);
    board.set(2, clock.wallMs() + 90_000);
    expect(ask('mlp', 'a')?.message).toMatch(/'team-day'/);
    clock.advance(90_000 * 1e6);
    expect(ask('mlp', 'a')).toBeUndefined();
  });

  it('is answered before the request is routed', () => {
    const { clock, board, budgets } = gate();
    const refused: string[] = [];
    const dataplane = new Dataplane({
      clock,
      metrics: { refused: (reason) => void refused.push(reason) },
      whyAbsent: () => undefined,
      budgets,
    });
    const ask = (): string => {
      let reason = '';
      dataplane.infer(request({ model: 'mlp' }), {
        done: () => {},
        failed: (error) => {
          reason = error.reason;
        },
      });
      return reason;
    };
    expect(ask()).toBe('MODEL_NOT_FOUND');
    board.set(1, clock.wallMs() + 1000);
    expect([ask(), refused.at(-1)]).toEqual(['QUOTA_EXCEEDED', 'QUOTA_EXCEEDED']);
  });
});
