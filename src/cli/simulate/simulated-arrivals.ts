import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { recordedArrivals } from '../bench/arrivals.js';
import { type RandomSource, randomSource } from '../bench/random-source.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';

/** Burst and lull: rate as a share of the mean, mean length in ms. */
const BURST = { share: 3, meanMs: 50 };
const LULL = { share: 0.5, meanMs: 200 };

/**
 * What makes arrivals for a mean rate, in ms: independent callers (`poisson`), bursts (`mmpp`), or the times of a file,
 * stretched or pressed to the rate. The same seed gives the same load at every rate but for its pace.
 */
export function arrivalsOf(
  kind: string,
  requests: number,
  seed: number,
  cwd: string,
): (perSecond: number) => Float64Array {
  if (kind === 'poisson') return (perSecond) => poisson(requests, perSecond, randomSource(seed));
  if (kind === 'mmpp') return (perSecond) => bursts(requests, perSecond, randomSource(seed));
  let text: string;
  try {
    text = readFileSync(resolve(cwd, kind), 'utf8');
    recordedArrivals(text, 1);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(`--arrivals ${kind}: expected poisson, mmpp or a file of times: ${why}`, EXIT_CODES.usage);
  }
  return (perSecond) => recordedArrivals(text, perSecond);
}

function poisson(requests: number, perSecond: number, random: RandomSource): Float64Array {
  const times = new Float64Array(requests);
  let atMs = 0;
  for (let i = 0; i < requests; i++) {
    atMs += random.exponential(1000 / perSecond);
    times[i] = atMs;
  }
  return times;
}

function bursts(requests: number, perSecond: number, random: RandomSource): Float64Array {
  const times = new Float64Array(requests);
  let phase = BURST;
  let atMs = 0;
  let endMs = random.exponential(phase.meanMs);
  for (let i = 0; i < requests; ) {
    const nextMs = atMs + random.exponential(1000 / (perSecond * phase.share));
    if (nextMs > endMs) {
      // Exponential gaps have no memory: to start the next phase afresh is exact.
      phase = phase === BURST ? LULL : BURST;
      atMs = endMs;
      endMs = atMs + random.exponential(phase.meanMs);
      continue;
    }
    atMs = nextMs;
    times[i++] = atMs;
  }
  return times;
}
