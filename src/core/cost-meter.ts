import type { Charge } from './charge.js';
import type { Tenant } from './tenant.js';

/** How the time of an execution is shared by its members: by rows, by the elements of their own, or by the learned curve. */
export const COST_SPLITS = ['rows', 'elements', 'curve'] as const;
export type CostSplit = (typeof COST_SPLITS)[number];

/**
 * The time of one device, each instant shared among the executions that run. Told of every start and end; an end that is told
 * late, after something that came later, counts as of then. Constant cost, no allocation.
 */
export interface DeviceMeter {
  /** Place among the devices that are metered. */
  readonly index: number;
  /** Price of a nanosecond; undefined: no price is known. */
  readonly pricePerNs: number | undefined;
  /** An execution starts; what is to be given to `end`. */
  begin(nowNs: number): number;
  /** It ended: its part of the device's time, in nanoseconds. */
  end(begun: number, nowNs: number): number;
}

/** Sums of what was booked under one key, by device. */
export interface CostAccount {
  /** `device`: index of its meter. `aloneNs`: see `CostLine.aloneSeconds`. */
  add(device: number, ns: number, requests: number, rows: number, aloneNs: number): void;
}

/** Where the executions of one version are booked. */
export interface CostMeter {
  readonly split: CostSplit;
  /** The account of a tenant's requests under a charge; a look-up, its result to be kept. The same one for the same names. */
  account(tenant: Tenant, charge: Charge): CostAccount;
  readonly padding: CostAccount;
  readonly failed: CostAccount;
  readonly retried: CostAccount;
  readonly warmUp: CostAccount;
}
