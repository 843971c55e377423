import type { Guard, GuardEvidence } from '../guard.js';
import type { Observation } from '../observation.js';
import type { Verdict } from '../rate-guard.js';

/** What a guard watches, before its first verdict. */
export interface Watch {
  /** Takes one observation and says what is proven by now. */
  observe(seen: Observation): Verdict;
  evidence(verdict: Verdict): Omit<GuardEvidence, 'name' | 'verdict'>;
}

/** The guard that keeps the first verdict of a watch, which sees nothing after it. */
export function firstVerdict(name: string, watch: Watch): Guard {
  let verdict: Verdict = 'inconclusive';
  return {
    name,
    get verdict() {
      return verdict;
    },
    observe(seen) {
      if (verdict === 'inconclusive') verdict = watch.observe(seen);
      return verdict;
    },
    evidence: () => ({ name, verdict, ...watch.evidence(verdict) }),
  };
}
