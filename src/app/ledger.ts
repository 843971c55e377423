import type { ServerConfig } from '../config/index.js';
import type { Clock } from '../core/index.js';
import { CostLedger, devicesNamedIn, priceOf } from '../insight/index.js';

/** The cost ledger of a gateway, by its configuration; undefined where the time of devices is not to be metered. */
export function createLedger({ cost }: ServerConfig, clock: Clock): CostLedger | undefined {
  const { metering, devices, ...options } = cost;
  if (!metering) return undefined;
  return new CostLedger({
    ...options,
    clock,
    namedTenants: cost.budgets.flatMap(({ tenant }) => tenant ?? []),
    priceOf: (device) => priceOf(device, devices),
    devices: devicesNamedIn(devices),
  });
}
