import type { Guard } from '../guard.js';
import type { Calibration, GuardSpec } from '../guard-spec.js';
import { createGuards } from '../guards/create-guards.js';
import type { Observation } from '../observation.js';
import { randomStream, type Uniform } from './random-stream.js';

/** Releases of one kind, watched by one guard. */
export interface SimulatedReleases {
  readonly spec: GuardSpec;
  readonly alpha: number;
  readonly runs: number;
  /** Stretches of time after which a release ends without a verdict. */
  readonly stretches: number;
  readonly seed: number;
  /** A fresh release: what each of its stretches is like. */
  release(uniform: Uniform): (stretch: number) => Observation;
}

/** How they ended. */
export interface Outcomes {
  readonly failed: number;
  readonly passed: number;
  /** Stretches until the verdict, in order of length. */
  readonly stretchesToFail: readonly number[];
  readonly stretchesToPass: readonly number[];
}

const CALIBRATION: Calibration = { latencyLimitsNs: [1e6, 2e6, 3e6], executions: 10_000 };

/** Shows each release to a guard of its own, which is asked after every stretch. Same seed, same outcomes. */
export function simulateReleases({ spec, alpha, runs, stretches, seed, release }: SimulatedReleases): Outcomes {
  const [stretchesToFail, stretchesToPass] = [[] as number[], [] as number[]];
  for (let run = 0; run < runs; run++) {
    const [guard] = createGuards([spec], alpha, CALIBRATION) as [Guard];
    const next = release(randomStream(seed * 1_000_003 + run));
    for (let stretch = 0; stretch < stretches && guard.verdict === 'inconclusive'; stretch++) {
      const verdict = guard.observe(next(stretch));
      if (verdict === 'fail') stretchesToFail.push(stretch + 1);
      if (verdict === 'pass') stretchesToPass.push(stretch + 1);
    }
  }
  const inOrder = (lengths: number[]) => lengths.sort((a, b) => a - b);
  return {
    failed: stretchesToFail.length,
    passed: stretchesToPass.length,
    stretchesToFail: inOrder(stretchesToFail),
    stretchesToPass: inOrder(stretchesToPass),
  };
}
