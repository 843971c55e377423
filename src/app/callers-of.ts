import type { ServerConfig } from '../config/index.js';
import { Callers } from '../serving/dataplane/index.js';

/** Who is believed, of a configuration; tenants with a budget are known by name, as those with a weight. */
export function callersOf({ tenants, criticality, cost }: ServerConfig): Callers {
  const budgeted = cost.budgets.flatMap(({ tenant }) => (tenant === undefined ? [] : [[tenant, 1] as const]));
  const weights = { ...Object.fromEntries(budgeted), ...tenants.weights };
  return new Callers({ tenants: { ...tenants, weights }, criticality });
}
