import type { GoodputPoint } from './goodput-point.js';

/** What a search goes by. */
export interface SearchOptions {
  /** A rate to begin with, in requests a second; a guess near the goodput saves runs. */
  readonly from: number;
  /** No higher rate is tried. */
  readonly to: number;
  /** Share of all requests that must be in time. */
  readonly share: number;
  /** The search ends where the rate is known to this share of it. */
  readonly precision: number;
  /** A rate fails where so many runs in a row fail: one may be the machine's fault. */
  readonly tries: number;
}

/** The highest rate that was seen to do, 0 where none did, and every run on the way, in order. */
export interface FoundGoodput {
  readonly perSecond: number;
  readonly points: readonly GoodputPoint[];
}

/** A first step from the guess, of the rate; each next step is twice as long. */
const STEP = 0.1;
/** Below this share of the guess nothing is looked for. */
const LEAST = 1 / 64;

/**
 * The highest rate at which the share of requests in time is enough: steps away from the guess until one does and one does
 * not, then halves between them.
 */
export async function searchGoodput(
  measure: (perSecond: number) => Promise<GoodputPoint>,
  { from, to, share, precision, tries }: SearchOptions,
): Promise<FoundGoodput> {
  const points: GoodputPoint[] = [];
  const enough = async (perSecond: number): Promise<boolean> => {
    for (let left = tries; left > 0; left--) {
      const point = await measure(perSecond);
      points.push(point);
      if (point.inTime >= share * point.requests) return true;
      // Far from enough is no accident.
      if (point.inTime < HOPELESS * point.requests) return false;
    }
    return false;
  };
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let step = STEP;
  for (let rate = Math.min(from, to); low === 0 || high === Number.POSITIVE_INFINITY; step *= 2) {
    if (await enough(rate)) {
      low = rate;
      if (rate === to || high !== Number.POSITIVE_INFINITY) break;
      rate = Math.min(rate * (1 + step), to);
    } else {
      high = rate;
      if (low !== 0) break;
      rate /= 1 + step;
      if (rate < from * LEAST) return { perSecond: 0, points };
    }
  }
  while (high / low > 1 + precision && high !== Number.POSITIVE_INFINITY) {
    const middle = Math.sqrt(low * high);
    if (await enough(middle)) low = middle;
    else high = middle;
  }
  return { perSecond: low, points };
}

const HOPELESS = 0.9;
