/** What an execution counts for, against the one after it. */
const FADE = 0.99;
/** The fit is made anew after so many executions, or each while there are few. */
const REFIT_EVERY = 16;
/** Part of an execution's time taken to be the same whatever its size, while one size alone was seen. */
const FIXED_PART = 0.5;
/** How much that assumption counts, in executions. */
const PRIOR_WEIGHT = 2;

/**
 * The time of executions of one version over their shapes: a fixed part, one for each row, and one for each row times
 * length, fitted to those that ended by least squares of the relative error, the recent ones more. Curves learned class by
 * class are exact in each, but their differences, which a choice between shapes rests on, are mostly noise; these are not.
 * Cost: constant.
 */
export class CostPlane {
  /** Upper triangle of the normal equations, then their right side. */
  readonly #sums = new Float64Array(9);
  readonly #part = new Float64Array(3);
  #seen = 0;

  /** Expected nanoseconds; before anything was seen, in units of an execution of one row of length 1. */
  timeOf(rows: number, length: number): number {
    if (this.#seen === 0) return FIXED_PART + (1 - FIXED_PART) * rows * length;
    const part = this.#part;
    return (part[0] as number) + rows * ((part[1] as number) + (part[2] as number) * length);
  }

  observe(rows: number, length: number, timeNs: number): void {
    if (!(timeNs > 0)) return;
    if (this.#seen === 0) {
      this.#add(rows, length, timeNs, PRIOR_WEIGHT);
      this.#add(2 * rows, length, (2 - FIXED_PART) * timeNs, PRIOR_WEIGHT);
      this.#add(rows, 2 * length, (2 - FIXED_PART) * timeNs, PRIOR_WEIGHT);
    }
    for (let i = 0; i < this.#sums.length; i++) (this.#sums[i] as number) *= FADE;
    this.#add(rows, length, timeNs, 1);
    this.#seen++;
    if (this.#seen < REFIT_EVERY || this.#seen % REFIT_EVERY === 0) this.#fit();
  }

  #add(rows: number, length: number, timeNs: number, weight: number): void {
    const x0 = 1 / timeNs;
    const x1 = rows / timeNs;
    const x2 = (rows * length) / timeNs;
    const added = [x0 * x0, x0 * x1, x0 * x2, x1 * x1, x1 * x2, x2 * x2, x0, x1, x2];
    for (let i = 0; i < added.length; i++) (this.#sums[i] as number) += weight * (added[i] as number);
  }

  /** The best of the fits that use some of the three parts, none of them negative. */
  #fit(): void {
    let least = Number.POSITIVE_INFINITY;
    for (const parts of PARTS) {
      const found = solve(this.#sums, parts);
      if (found === undefined || found.some((value) => value < 0)) continue;
      // The residual less what is the same for all: minus the right side times the solution.
      let residual = 0;
      parts.forEach((part, i) => {
        residual -= (this.#sums[6 + part] as number) * (found[i] as number);
      });
      if (residual >= least) continue;
      least = residual;
      this.#part.fill(0);
      parts.forEach((part, i) => {
        this.#part[part] = found[i] as number;
      });
    }
  }
}

const PARTS: readonly (readonly number[])[] = [[0, 1, 2], [0, 2], [0, 1], [1, 2], [2], [1], [0]];
/** Where the sum of two parts stands in the upper triangle. */
const AT = [
  [0, 1, 2],
  [1, 3, 4],
  [2, 4, 5],
] as const;

/** The normal equations of some parts, by elimination; undefined where what was seen does not tell them apart. */
function solve(sums: Float64Array, parts: readonly number[]): number[] | undefined {
  const rows = parts.map((a) => [...parts.map((b) => sums[AT[a as 0][b as 0]] as number), sums[6 + a] as number]);
  const size = parts.length;
  for (let i = 0; i < size; i++) {
    const pivot = rows[i] as number[];
    const diagonal = sums[AT[parts[i] as 0][parts[i] as 0]] as number;
    if (!((pivot[i] as number) > diagonal * 1e-9)) return undefined;
    for (let j = i + 1; j < size; j++) {
      const row = rows[j] as number[];
      const factor = (row[i] as number) / (pivot[i] as number);
      for (let k = i; k <= size; k++) (row[k] as number) -= factor * (pivot[k] as number);
    }
  }
  const found = new Array<number>(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    const row = rows[i] as number[];
    let value = row[size] as number;
    for (let k = i + 1; k < size; k++) value -= (row[k] as number) * (found[k] as number);
    found[i] = value / (row[i] as number);
  }
  return found;
}
