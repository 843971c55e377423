import {
  type Calibration,
  createGuards,
  type Guard,
  type GuardSpec,
  type Observation,
} from '../../src/delivery/index.js';
import { randomStream, type Uniform } from '../../src/delivery/power/random-stream.js';

/** Releases of one kind, watched by one guard. */
export interface SimulatedCase {
  readonly spec: GuardSpec;
  /** Stretches of time after which a release ends without a verdict. */
  readonly stretches: number;
  /** Part of the releases that are simulated, where each costs much; 1 without. */
  readonly part?: number;
  /** A fresh release: what each of its stretches is like. */
  readonly release: (uniform: Uniform) => (stretch: number) => Observation;
}

/** How they ended. */
export interface Outcomes {
  readonly runs: number;
  readonly failed: number;
  readonly passed: number;
  /** Stretches until the verdict, ascending. */
  readonly stretchesToFail: readonly number[];
  readonly stretchesToPass: readonly number[];
}

const CALIBRATION: Calibration = { latencyLimitsNs: [1e6, 2e6, 3e6], executions: 10_000 };

/** Shows each release to a guard of its own, which is asked after every stretch. The same releases every time. */
export function simulateReleases(
  { spec, stretches, part = 1, release }: SimulatedCase,
  alpha: number,
  most: number,
): Outcomes {
  const [stretchesToFail, stretchesToPass] = [[] as number[], [] as number[]];
  const runs = Math.ceil(most * part);
  for (let run = 0; run < runs; run++) {
    const [guard] = createGuards([spec], alpha, CALIBRATION) as [Guard];
    const next = release(randomStream(1_000_003 + run));
    for (let stretch = 0; stretch < stretches && guard.verdict === 'inconclusive'; stretch++) {
      const verdict = guard.observe(next(stretch));
      if (verdict === 'fail') stretchesToFail.push(stretch + 1);
      if (verdict === 'pass') stretchesToPass.push(stretch + 1);
    }
  }
  const inOrder = (lengths: number[]) => lengths.sort((a, b) => a - b);
  return {
    runs,
    failed: stretchesToFail.length,
    passed: stretchesToPass.length,
    stretchesToFail: inOrder(stretchesToFail),
    stretchesToPass: inOrder(stretchesToPass),
  };
}

/** Releases of so many that may end so: alpha of many, and of few some more, as chance may have it. */
export function chanceOf(alpha: number, runs: number): number {
  return alpha * runs + (runs < 2000 ? 3 : 0);
}
