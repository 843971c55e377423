import type { RandomSource } from './random-source.js';

/** Arrivals of one open-loop run are bounded: their times are laid out before it starts. */
export const MAX_ARRIVALS = 5_000_000;

/** Burst and lull of the bursty process: rate as a share of the mean, mean length in ms. The mean over both is the rate. */
const BURST = { share: 3, meanMs: 50 };
const LULL = { share: 0.5, meanMs: 200 };

/** Independent callers: times in ms from the start, ascending, exponential gaps. */
export function poissonArrivals(perSecond: number, ms: number, random: RandomSource): Float64Array {
  const times: number[] = [];
  for (let at = random.exponential(1000 / perSecond); at < ms; at += random.exponential(1000 / perSecond))
    push(times, at);
  return Float64Array.from(times);
}

/**
 * Bursts: a Poisson process that changes between three times the rate (50 ms on average) and half of it (200 ms on
 * average), so that its mean is the rate (a Markov-modulated Poisson process of two states).
 */
export function burstyArrivals(perSecond: number, ms: number, random: RandomSource): Float64Array {
  const times: number[] = [];
  let phase = LULL;
  for (let start = 0; start < ms; ) {
    const end = Math.min(ms, start + random.exponential(phase.meanMs));
    const gapMs = 1000 / (perSecond * phase.share);
    // Exponential gaps have no memory: to start each phase afresh is exact.
    for (let at = start + random.exponential(gapMs); at < end; at += random.exponential(gapMs)) push(times, at);
    start = end;
    phase = phase === LULL ? BURST : LULL;
  }
  return Float64Array.from(times);
}

/**
 * Recorded arrivals: one time a line, in seconds from any zero, ascending; the first becomes 0. With `perSecond` they are
 * stretched or pressed to that mean rate. Throws a sentence that names the line.
 */
export function recordedArrivals(text: string, perSecond: number | undefined): Float64Array {
  const seconds: number[] = [];
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return;
    const time = Number(line);
    if (!Number.isFinite(time)) throw new Error(`line ${i + 1}: expected a time in seconds, got ${line.trim()}`);
    if (time < (seconds.at(-1) ?? Number.NEGATIVE_INFINITY))
      throw new Error(`line ${i + 1}: ${time} s is before the line above it`);
    push(seconds, time);
  });
  const [first] = seconds;
  if (first === undefined) throw new Error('no arrival in it');
  const lengthMs = (seconds.at(-1)! - first) * 1000;
  if (perSecond !== undefined && lengthMs === 0) throw new Error('arrivals all at one time have no rate to change');
  const stretch = perSecond === undefined ? 1 : ((seconds.length - 1) * 1000) / perSecond / lengthMs;
  return Float64Array.from(seconds, (time) => (time - first) * 1000 * stretch);
}

function push(times: number[], at: number): void {
  if (times.length === MAX_ARRIVALS) throw new Error(`more than ${MAX_ARRIVALS} arrivals in one run`);
  times.push(at);
}
