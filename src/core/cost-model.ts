/** Time to run a batch of one shape class, as far as it is known. A snapshot: it does not change once it was handed out. */
export interface CostCurve {
  /** Expected nanoseconds to run `rows` rows; non-decreasing in rows, defined from 1 to the most rows of the version. */
  meanNs(rows: number): number;
  /** The upper quantile that planning uses, never below the mean; non-decreasing in rows. */
  upperNs(rows: number): number;
  /** The most rows, from 1 to `most`, with `upperNs(rows) <= budgetNs`; 0 where there are none. Absent: nothing is quicker than to search. */
  rowsWithin?(budgetNs: number, most: number): number;
  /** False where no execution of so few rows was seen, and `meanNs` is that of more. Absent: all is known. */
  knows?(rows: number): boolean;
}

/** What is known of the time of executions of one size, in nanoseconds. `rows` need not be whole: a mean of what was seen. */
export interface SizeCost {
  readonly rows: number;
  readonly meanNs: number;
  readonly upperNs: number;
  /** Executions that it rests on. */
  readonly weight: number;
}

/**
 * What is known of the time that the executions of one version take, learned from those that ended. `device` is named
 * where the instances are on several devices, as `Executor.nextDevice` names them.
 */
export interface CostModel {
  /** Undefined while nothing is known of `shapeClass` there; without `device`, of the fastest device. */
  curve(shapeClass: string, device?: string): CostCurve | undefined;
  /** One execution of `rows` rows ended well after `computeNs`, at the monotonic instant `nowNs`. */
  observe(shapeClass: string, rows: number, computeNs: number, nowNs: number, device?: string): void;
}
