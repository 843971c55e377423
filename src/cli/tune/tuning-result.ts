/** The time of executions of one batch size. */
export interface MeasuredSize {
  readonly rows: number;
  /** Mean of the middle four fifths. */
  readonly meanMs: number;
  /** The quantile that the gateway plans with (90 %). */
  readonly upperMs: number;
  /** Absent where the figures come from a running gateway. */
  readonly p99Ms?: number;
  /** All instances at work. */
  readonly rowsPerSecond: number;
  readonly executions?: number;
}

/** One way to run the model, as it was measured. */
export interface MeasuredSetting {
  readonly instances: number;
  /** Threads of one execution; absent where the backend has no such setting. */
  readonly threads?: number;
  readonly device: string;
  /** How executions are carried, and why. */
  readonly carrier?: string;
  readonly sizes: readonly MeasuredSize[];
  /** The most rows of one execution that pay. */
  readonly payingRows: number;
  /** Requests of one row a second: within the SLO where there is one, else at most. */
  readonly bestPerSecond: number;
}

/** What is to be expected at one load, simulated: Poisson arrivals of requests of one row. */
export interface ExpectedLoad {
  readonly offeredPerSecond: number;
  /** Of the chosen setting's `bestPerSecond`. */
  readonly share: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly rowsPerBatch: number;
  /** Absent without an SLO. */
  readonly inTimeShare?: number;
}

/** All that `penstock tune` found; its JSON, and what `simulate --curve` and `plan --curve` read. */
export interface TuningResult {
  /** Form of this file. */
  readonly penstockTune: 1;
  readonly model: string;
  readonly version: number;
  /** Where it was measured: `here`, or the address of a running gateway. */
  readonly from: string;
  readonly machine?: { readonly cpu: string; readonly cores: number };
  /** Undefined: none. */
  readonly sloMs?: number;
  readonly maxBatchSize: number;
  readonly measured: readonly MeasuredSetting[];
  /** The setting that is best of those. */
  readonly chosen: MeasuredSetting;
  readonly expected: readonly ExpectedLoad[];
  /** Lines of a config that ask for the chosen setting, by syntax. */
  readonly suggestion?: { readonly pbtxt: string; readonly yaml: string };
}
