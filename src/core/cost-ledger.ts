/**
 * What time on a device was spent on. `direct`: rows that callers asked for and got, or did not wait for. All others are waste, of the model
 * (`padding`, `failed`, `retried`, `warm_up`) or of the release that is tried (`canary`: requests that its candidate answered;
 * `shadow`: copies of requests): never of a tenant.
 */
export const COST_KINDS = ['direct', 'padding', 'failed', 'retried', 'warm_up', 'canary', 'shadow'] as const;
export type CostKind = (typeof COST_KINDS)[number];

/** What money is kept apart by. `tenant` and `route` are bounded in number (`(others)`), and empty where they do not apply. */
export interface CostKey {
  /** `cpu`, `cuda:0` ... */
  readonly device: string;
  readonly model: string;
  readonly version: number;
  readonly tenant: string;
  readonly route: string;
  readonly kind: CostKind;
}

/** Sums since the ledger began. */
export interface CostLine extends CostKey {
  /** Time on the device, each instant shared among the executions that overlap. */
  readonly deviceSeconds: number;
  /** In the ledger's currency. */
  readonly amount: number;
  /** Requests and rows that were executed, answered or not. */
  readonly requests: number;
  readonly rows: number;
  /** What the same requests would have taken, each in an execution of its own, as far as the cost of that is known; `direct` only. */
  readonly aloneSeconds: number;
}

/** Part of a device's idle time that a version pays for; no model and version 0: nobody does. */
export interface IdleLine {
  readonly device: string;
  readonly model: string;
  readonly version: number;
  readonly seconds: number;
  readonly amount: number;
}

/** Which price of a device is in use; `none`: no price is known, its amounts are 0. */
export const PRICE_KINDS = ['market', 'amortised', 'spot', 'none'] as const;
export type PriceKind = (typeof PRICE_KINDS)[number];

/** The balance of one device since the ledger began: `direct + waste + idle` = `amount` = price x `elapsedSeconds`. */
export interface DeviceBalance {
  readonly device: string;
  readonly pricePerHour: number;
  readonly priceKind: PriceKind;
  /** Time that is accounted for: all but `runningSeconds`. */
  readonly elapsedSeconds: number;
  /** Of executions that ended: the sum of the device's lines. */
  readonly busySeconds: number;
  /** So far, of executions that have not ended: in no other sum yet. */
  readonly runningSeconds: number;
  /** |sum of lines + idle + running - time by the clock| / time by the clock: rounding, unless something was not booked. */
  readonly conservationError: number;
  readonly amount: number;
  readonly direct: number;
  readonly waste: number;
  readonly idle: number;
}

/** The ledger at one instant. Frozen; a later one has sums that are no smaller. */
export interface LedgerSnapshot {
  /** Wall clock: when the ledger began, and now. A ledger begins with its process. */
  readonly sinceMs: number;
  readonly atMs: number;
  /** ISO 4217, `USD`. */
  readonly currency: string;
  readonly devices: readonly DeviceBalance[];
  readonly lines: readonly CostLine[];
  readonly idle: readonly IdleLine[];
}

export interface CostLedgerSource {
  snapshot(): LedgerSnapshot;
}
