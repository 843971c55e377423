import type { Observation } from './observation.js';
import type { Verdict } from './rate-guard.js';

/** Where a guard stands, for reports; plain data. */
export interface GuardEvidence {
  readonly name: string;
  readonly verdict: Verdict;
  /** Observations of the candidate and of the baseline. */
  readonly observed: { readonly candidate: number; readonly baseline: number };
  /** What each arm shows so far (a rate, a mean); undefined without observations. */
  readonly estimate: { readonly candidate: number | undefined; readonly baseline: number | undefined };
  /** Of candidate less baseline, always valid; undefined where the guard knows none. */
  readonly difference: { readonly lower: number; readonly upper: number } | undefined;
  /** Logarithms of the evidence for harm and of its threshold. */
  readonly logHarm: number;
  readonly logHarmLimit: number;
  /** In words, for people. */
  readonly explanation: string;
}

/**
 * Watches one metric of a rollout. A fold over observations: the same ones in the same order give the same verdict. The
 * first verdict other than inconclusive stands.
 */
export interface Guard {
  readonly name: string;
  observe(seen: Observation): Verdict;
  readonly verdict: Verdict;
  evidence(): GuardEvidence;
}
