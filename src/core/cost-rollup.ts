import type { CostKey, CostKind } from './cost-ledger.js';

export const HOUR_MS = 3_600_000;
/** Days are those of UTC. */
export const DAY_MS = 24 * HOUR_MS;

/** What time on a device was spent on, idle time as well. */
export type RollupKind = CostKind | 'idle';

/** What sums of a period are kept by. */
export interface RollupKey extends Omit<CostKey, 'kind'> {
  readonly kind: RollupKind;
}

export interface RollupSums {
  readonly deviceSeconds: number;
  readonly amount: number;
  readonly requests: number;
  readonly rows: number;
  readonly aloneSeconds: number;
  /** Undefined: the device has no counter. */
  readonly energyJoules: number | undefined;
  /** Undefined: no energy, or no grid intensity is configured. */
  readonly carbonGrams: number | undefined;
}

export interface RollupLine extends RollupKey, RollupSums {}

/** The balance of a device over a period, as `DeviceBalance`. */
export interface RollupDevice {
  readonly device: string;
  readonly elapsedSeconds: number;
  readonly busySeconds: number;
  readonly amount: number;
  readonly direct: number;
  readonly waste: number;
  readonly idle: number;
  readonly energyJoules: number | undefined;
  readonly carbonGrams: number | undefined;
}

/** What was spent from `startMs` on; periods are hours, and whole days (UTC) where the hours are not kept any more. */
export interface RollupPeriod {
  readonly startMs: number;
  readonly spanMs: number;
  readonly lines: readonly RollupLine[];
  readonly devices: readonly RollupDevice[];
}

/** What one process adds at once. */
export interface RollupBatch {
  /** Of the process; never used again. */
  readonly run: string;
  /** Counts the batches of the run from 1: one that is added again changes nothing. */
  readonly sequence: number;
  /** Wall clock: when the ledger of the run began, and up to when it is added. */
  readonly sinceMs: number;
  readonly atMs: number;
  readonly currency: string;
  readonly hours: readonly RollupPeriod[];
}

/** What costs can be told apart by. */
export const COST_DIMENSIONS = ['model', 'version', 'tenant', 'route', 'kind', 'device'] as const;
export type CostDimension = (typeof COST_DIMENSIONS)[number];

/** Which sums are asked for; those of dimensions that are not named are added up. */
export interface RollupQuery {
  readonly currency: string;
  /** Periods that begin from here on, and before there. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly dimensions: readonly CostDimension[];
  /** Whether each period is apart; else `startMs` and `spanMs` are those of the first. */
  readonly periods: boolean;
}

/** Dimensions that are not asked for are empty, versions 0. */
export interface RollupRow extends RollupLine {
  readonly startMs: number;
  readonly spanMs: number;
}

export interface RollupDeviceRow extends RollupDevice {
  readonly startMs: number;
  readonly spanMs: number;
}

/**
 * Where the sums of hours and days last. Synchronous. What is written outlives the process when the call returns, and a loss of
 * power with the next change of a release.
 */
export interface RollupStore {
  /** One transaction, all or nothing; a batch that is there already is passed over. Throws INTERNAL where it cannot be written. */
  add(batch: RollupBatch): void;
  /** Of the last batch of a run that is there; 0 = none. */
  sequenceOf(run: string): number;
  /** Makes the oldest hour before `beforeMs` part of its day, and drops days before `dropMs`; false: there was nothing to do. */
  compact(beforeMs: number, dropMs: number): boolean;
  /** Currencies of what is kept, with when it begins and ends. */
  currencies(): readonly { readonly currency: string; readonly fromMs: number; readonly toMs: number }[];
  lines(query: RollupQuery): readonly RollupRow[];
  devices(query: Pick<RollupQuery, 'currency' | 'fromMs' | 'toMs'>): readonly RollupDeviceRow[];
  /** Notes that something was told of a budget in a period; false: it was noted before. */
  noteOnce(budget: string, periodMs: number, threshold: number): boolean;
}
