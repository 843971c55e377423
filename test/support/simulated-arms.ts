import { type ArmTally, type LabelTally, type Moments, sizeCell } from '../../src/delivery/observation.js';
import type { Uniform } from '../../src/delivery/power/random-stream.js';
import { binomial, momentsOf, normal } from './chance.js';

/** Executions of `size` requests that fail as a whole with this chance, and requests that fail alone. */
export function failing(
  uniform: Uniform,
  executions: number,
  size: number,
  whole: number,
  alone: number,
): Partial<ArmTally> {
  const failed = binomial(executions, whole, uniform);
  const requests = executions * size;
  const failedAlone = binomial(requests - failed * size, alone, uniform);
  return {
    requests,
    errors: failed * size + failedAlone,
    errorsTogether: failed === 0 ? [] : [...new Array<number>(size - 1).fill(0), failed],
    executions,
    largestExecution: size,
  };
}

/** Times of good and of bad minutes, which both arms have alike: load, neighbours, a clock that is lowered. */
export function weather(uniform: Uniform): () => boolean {
  let bad = false;
  return () => {
    if (uniform() < 0.05) bad = !bad;
    return bad;
  };
}

/** Executions, of four requests each, that are slower than all limits with this chance. */
export function slow(uniform: Uniform, executions: number, chance: number): Partial<ArmTally> {
  const slower = binomial(executions, chance, uniform);
  return { requests: executions * 4, executions, slower: [slower, slower, slower] };
}

/**
 * Executions of different sizes whose time has a lognormal spread, a common factor of the time of day, and once in a hundred a
 * tail of Pareto's law with exponent 1.5, which has a mean and no variance.
 */
export function timed(uniform: Uniform, executions: number, largest: number, ofDay: number): Partial<ArmTally> {
  const deviceBySize: Moments[] = [];
  for (let i = 0; i < executions; i++) {
    const size = 1 + Math.floor(uniform() * largest);
    const tail = uniform() < 0.01 ? (1 - uniform()) ** (-1 / 1.5) : 1;
    const value = 1e6 * (1 + 0.2 * size) * Math.exp(0.5 * normal(uniform)) * tail * ofDay;
    const cell = sizeCell(size);
    while (deviceBySize.length <= cell) deviceBySize.push({ count: 0, sum: 0, sumOfSquares: 0 });
    const { count, sum, sumOfSquares } = deviceBySize[cell] as Moments;
    deviceBySize[cell] = { count: count + 1, sum: sum + value, sumOfSquares: sumOfSquares + value * value };
  }
  return { requests: executions * largest, executions, deviceBySize };
}

/** Labels that say wrong with this chance. */
export function labels(uniform: Uniform, count: number, chance: number): LabelTally {
  return { labels: count, wrong: binomial(count, chance, uniform), value: { count: 0, sum: 0, sumOfSquares: 0 } };
}

/** A KPI that is nothing at most times, and else somewhere between 0 and 10. */
export function sales(uniform: Uniform, count: number, chance: number): LabelTally {
  return { labels: count, wrong: 0, value: momentsOf(count, () => (uniform() < chance ? 10 * uniform() ** 2 : 0)) };
}
