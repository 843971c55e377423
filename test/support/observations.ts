import type { ArmTally, FeedbackTally, Observation, ShadowTally } from '../../src/delivery/observation.js';

const NO_MOMENTS = { count: 0, sum: 0, sumOfSquares: 0 };

/** What an arm did in which nothing happened but `what`. */
export function armTally(what: Partial<ArmTally> = {}): ArmTally {
  return {
    requests: 0,
    errors: 0,
    errorsTogether: [],
    notFinite: 0,
    executions: 0,
    largestExecution: 0,
    slower: [0, 0, 0],
    deviceBySize: [],
    outputs: [],
    outputValue: NO_MOMENTS,
    ...what,
  };
}

/** A stretch of time in which nothing happened but `what`. */
export function observation(what: {
  readonly atMs?: number;
  readonly split?: number;
  readonly share?: number;
  readonly baseline?: Partial<ArmTally>;
  readonly candidate?: Partial<ArmTally>;
  readonly shadow?: Partial<ShadowTally>;
  readonly feedback?: Readonly<Record<string, FeedbackTally>>;
}): Observation {
  const { atMs = 0, split = 1, share = 0.5, feedback = {} } = what;
  return {
    atMs,
    split,
    share,
    baseline: armTally(what.baseline),
    candidate: armTally(what.candidate),
    shadow: {
      compared: 0,
      agreed: 0,
      topCompared: 0,
      topAgreed: 0,
      failed: 0,
      dropped: 0,
      rankCorrelation: NO_MOMENTS,
      totalVariation: NO_MOMENTS,
      ...what.shadow,
    },
    feedback,
  };
}
