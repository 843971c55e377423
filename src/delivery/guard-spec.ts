/** The quantiles of the baseline's time that latency guards may be set on, in the order of `ArmTally.slower`. */
export type LatencyQuantile = 0.5 | 0.9 | 0.99;

/** What every guard is told. */
interface GuardCommon {
  /** Unique within a plan. */
  readonly name: string;
  /** Its part of the plan's alpha, beside the weights of the other guards. */
  readonly weight: number;
  /** The candidate is not passed on fewer observations of its own. */
  readonly minObservations: number;
}

/** Shares of bad observations: proven worse stops; proven within either margin passes (`RateLimits`). */
interface RateMargins {
  /** Above 1. */
  readonly maxRatio: number;
  /** Above 0. */
  readonly maxDifference: number;
}

/** One guard of a plan. */
export type GuardSpec =
  | (GuardCommon & RateMargins & { readonly metric: 'error-rate' })
  /** Share of executions slower than the baseline's quantile, frozen at calibration. */
  | (GuardCommon &
      RateMargins & {
        readonly metric: 'latency';
        readonly quantile: LatencyQuantile;
        /** Stops where the odds of a slow execution are proven above so many times the baseline's; at least 1, absent = 1. */
        readonly harmRatio?: number;
      })
  /**
   * Device time of executions beside those of the baseline with about as many requests: stops where it is proven above, passes
   * below `maxRatio` of it.
   */
  | (GuardCommon & { readonly metric: 'cost'; readonly maxRatio: number })
  /** Distribution of the answers: total variation between the arms over cells of the top index. */
  | (GuardCommon & { readonly metric: 'output-drift'; readonly maxTotalVariation: number })
  /** Share of compared copies that agree: passes where proven at least `min`, stops where proven below it. */
  | (GuardCommon & { readonly metric: 'shadow-agreement'; readonly of: 'all' | 'top'; readonly min: number })
  /** Mean over compared copies; rank correlation at least, total variation at most `limit`. */
  | (GuardCommon & {
      readonly metric: 'shadow-distance';
      readonly of: 'rank-correlation' | 'total-variation';
      readonly limit: number;
    })
  /** Share of wrong predictions among labelled ones. */
  | (GuardCommon & RateMargins & { readonly metric: 'quality'; readonly feedback: string })
  /**
   * Mean of a value posted as feedback; `maxLoss` in its own unit, in the direction that is worse. Values lie within `range`:
   * others are counted as its nearest end.
   */
  | (GuardCommon & {
      readonly metric: 'kpi';
      readonly feedback: string;
      readonly better: 'higher' | 'lower';
      readonly maxLoss: number;
      readonly range: readonly [number, number];
    });

/** What the baseline was like before the candidate got traffic, frozen. */
export interface Calibration {
  /** Nanoseconds: the baseline's quantiles .5, .9 and .99 of the time of a request, one observation an execution. */
  readonly latencyLimitsNs: readonly [number, number, number];
  /** Executions they were taken from. */
  readonly executions: number;
}
