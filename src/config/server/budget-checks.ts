import { ServingError } from '../../core/index.js';
import type { ServerConfig } from './schema.js';

/** Throws MALFORMED_REQUEST where budgets could never count or tell anything. */
export function checkBudgets({ cost, tenants }: ServerConfig): void {
  const refuse = (what: string): never => {
    throw new ServingError('MALFORMED_REQUEST', what);
  };
  if (cost.budgets.length === 0) return;
  if (!cost.metering) refuse('cost.budgets: nothing is counted, as cost.metering is false');
  if (Object.keys(cost.devices).length === 0)
    refuse('cost.budgets: nothing costs anything, as cost.devices has no price');
  for (const { name, tenant } of cost.budgets)
    if (tenant !== undefined && tenants.source === 'off')
      refuse(`cost.budgets: '${name}' is of a tenant, but nobody is believed to name one (tenants.source)`);
}
