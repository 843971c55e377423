import type { ServerConfig } from '../config/index.js';
import type { BudgetBoard, Clock } from '../core/index.js';
import { BudgetGate, type Callers } from '../serving/dataplane/index.js';

/** What refuses requests on a thread by the budgets of the board; undefined where none refuses anything. */
export function budgetGate(
  { cost: { budgets } }: ServerConfig,
  board: BudgetBoard,
  callers: Callers,
  clock: Clock,
): BudgetGate | undefined {
  if (!budgets.some(({ action }) => action === 'refuse')) return undefined;
  return new BudgetGate({ budgets, board, callers, clock });
}
