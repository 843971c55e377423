import type { Moments } from '../../src/delivery/observation.js';
import type { Uniform } from '../../src/delivery/power/random-stream.js';

/** How many of `of` come true, each with this chance; cost linear in them. */
export function binomial(of: number, chance: number, uniform: Uniform): number {
  if (chance <= 0) return 0;
  if (chance > 0.5) return of - binomial(of, 1 - chance, uniform);
  const logMiss = Math.log1p(-chance);
  let seen = 0;
  for (let at = Math.floor(Math.log(1 - uniform()) / logMiss); at < of; seen++)
    at += 1 + Math.floor(Math.log(1 - uniform()) / logMiss);
  return seen;
}

/** A number of the standard normal law (Box and Muller). */
export function normal(uniform: Uniform): number {
  return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Moments of so many values. */
export function momentsOf(count: number, draw: () => number): Moments {
  let [sum, sumOfSquares] = [0, 0];
  for (let i = 0; i < count; i++) {
    const value = draw();
    sum += value;
    sumOfSquares += value * value;
  }
  return { count, sum, sumOfSquares };
}

/** Counts of so many draws by cell, whose chances are given by their running sums. */
export function cellsOf(count: number, runningChances: readonly number[], uniform: Uniform): number[] {
  const cells = new Array<number>(runningChances.length).fill(0);
  for (let i = 0; i < count; i++) {
    const at = uniform();
    let cell = 0;
    while (cell < cells.length - 1 && at >= (runningChances[cell] as number)) cell++;
    cells[cell] = (cells[cell] as number) + 1;
  }
  return cells;
}
