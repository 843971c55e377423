/** Time to run a batch of one shape class, as far as it is known. A snapshot: it does not change once it was handed out. */
export interface CostCurve {
  /** Expected nanoseconds to run `rows` rows; non-decreasing in rows, defined from 1 to the most rows of the version. */
  meanNs(rows: number): number;
  /** The upper quantile that planning uses, never below the mean; non-decreasing in rows. */
  upperNs(rows: number): number;
}

/** What is known of the time that the executions of one version take, learned from those that ended. */
export interface CostModel {
  /** Undefined while nothing is known of `shapeClass`. */
  curve(shapeClass: string): CostCurve | undefined;
  /** One execution of `rows` rows ended well after `computeNs`, at the monotonic instant `nowNs`. */
  observe(shapeClass: string, rows: number, computeNs: number, nowNs: number): void;
}
