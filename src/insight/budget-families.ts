import type { BudgetStatus } from '../core/index.js';
import { Family } from './family.js';

/** What is told of budgets, read when it is scraped. */
export function budgetFamilies(read: () => readonly BudgetStatus[]): Family[] {
  const each = (value: (budget: BudgetStatus) => number) => () =>
    read().map((budget) => ({ labels: { budget: budget.name }, value: value(budget) }));
  return [
    new Family(
      'penstock_budget_used_ratio',
      'gauge',
      'Part of a budget that was used in its running period.',
      each(({ usedRatio }) => usedRatio),
      ['budget'],
    ),
    new Family(
      'penstock_budget_refusing',
      'gauge',
      'Whether a budget is used up and refuses requests (1) or not (0).',
      each(({ refusing }) => (refusing ? 1 : 0)),
      ['budget'],
    ),
    new Family(
      'penstock_budget_refused_requests_total',
      'counter',
      'Requests that were refused because a budget was used up.',
      each(({ refusedRequests }) => refusedRequests),
      ['budget'],
    ),
  ];
}
