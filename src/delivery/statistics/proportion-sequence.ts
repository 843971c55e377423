import { logBeta } from './log-gamma.js';

/** Both ends of an interval. */
export interface Bounds {
  readonly lower: number;
  readonly upper: number;
}

/** How often something was seen among how many. */
export interface Count {
  readonly seen: number;
  readonly of: number;
}

/** Weight of the mixture near 0 and 1: Jeffreys' prior, short for rare events. */
const PRIOR = 0.5;

/**
 * Confidence sequence for a proportion: the chance that the true one is ever outside is at most `alpha`, however often one
 * looks. All p for which the Beta-Binomial mixture martingale, B(s + 1/2, f + 1/2) / (B(1/2, 1/2) p^s (1 - p)^f), is below
 * 1 / alpha (Robbins 1970; Howard et al. 2021).
 */
export function proportionBounds({ seen, of }: Count, alpha: number): Bounds {
  if (of === 0) return { lower: 0, upper: 1 };
  const unseen = of - seen;
  const logMartingale = mixtureMartingale({ seen, of });
  const limit = Math.log(1 / alpha);
  const share = seen / of;
  return {
    lower: seen === 0 ? 0 : edge(logMartingale, limit, share, 0),
    upper: unseen === 0 ? 1 : edge(logMartingale, limit, share, 1),
  };
}

/** ln of the evidence that the proportion is not `p`, above 0 and below 1: it reaches ln(1 / alpha) where the bounds leave p. */
export function proportionEvidence(count: Count, p: number): number {
  return mixtureMartingale(count)(p);
}

/** Bounds of the candidate's proportion less the baseline's: each is inside its own with alpha / 2. */
export function differenceBounds(candidate: Count, baseline: Count, alpha: number): Bounds {
  const [ofCandidate, ofBaseline] = [proportionBounds(candidate, alpha / 2), proportionBounds(baseline, alpha / 2)];
  return { lower: ofCandidate.lower - ofBaseline.upper, upper: ofCandidate.upper - ofBaseline.lower };
}

function mixtureMartingale({ seen, of }: Count): (p: number) => number {
  const unseen = of - seen;
  const logMixture = logBeta(seen + PRIOR, unseen + PRIOR) - logBeta(PRIOR, PRIOR);
  return (p) => {
    const [ofSeen, ofUnseen] = [seen === 0 ? 0 : seen * Math.log(p), unseen === 0 ? 0 : unseen * Math.log1p(-p)];
    return logMixture - ofSeen - ofUnseen;
  };
}

/** The p between `inside` and `outside` at which the martingale, which grows that way, reaches the limit: by bisection. */
function edge(logMartingale: (p: number) => number, limit: number, inside: number, outside: number): number {
  let [below, above] = [inside, outside];
  for (;;) {
    const middle = (below + above) / 2;
    if (middle === below || middle === above) return middle;
    if (logMartingale(middle) < limit) below = middle;
    else above = middle;
  }
}
