import type { VersionStatistics } from '../core/index.js';

/** Floats of one batch size: executions, and the nanoseconds of their three stages. */
const STRIDE = 4;

/** Executions by their number of rows. There is a place for each number that came up: at most `max_batch_size` of them. */
export class ExecutionFigures {
  readonly #wallMs: () => number;
  readonly #placeByRows = new Map<number, number>();
  #slots = new Float64Array(8 * STRIDE);
  #before = new Float64Array(0);
  #lastMs = 0;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  add(rows: number, gatherNs: number, computeNs: number, scatterNs: number): void {
    const at = this.#placeByRows.get(rows) ?? this.#makePlace(rows);
    const slots = this.#slots;
    (slots[at] as number)++;
    (slots[at + 1] as number) += gatherNs;
    (slots[at + 2] as number) += computeNs;
    (slots[at + 3] as number) += scatterNs;
    this.#lastMs = this.#wallMs();
  }

  /** Executions that ended well. */
  get count(): number {
    let count = 0;
    for (const at of this.#placeByRows.values()) count += this.#slots[at] as number;
    return count;
  }

  /** Nanoseconds of all of them, all stages. */
  get busyNs(): number {
    let ns = 0;
    for (const at of this.#placeByRows.values())
      for (let stage = 1; stage < STRIDE; stage++) ns += this.#slots[at + stage] as number;
    return ns;
  }

  get countSinceLoad(): number {
    return this.statistics().reduce((count, batch) => count + batch.computeInfer.count, 0);
  }

  /** Wall clock of the last execution since the load; 0 = none. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** Rows and how many executions had them, in no order. */
  *byRows(): Iterable<[rows: number, executions: number]> {
    for (const [rows, at] of this.#placeByRows) yield [rows, this.#slots[at] as number];
  }

  restartStatistics(): void {
    this.#before = this.#slots.slice();
    this.#lastMs = 0;
  }

  /** Triton's `batch_stats` since the load, ascending; sizes that did not come up since are left out. */
  statistics(): VersionStatistics['batches'] {
    const since = (at: number) => (this.#slots[at] as number) - (this.#before[at] ?? 0);
    return [...this.#placeByRows]
      .filter(([, at]) => since(at) > 0)
      .sort(([a], [b]) => a - b)
      .map(([rows, at]) => {
        const spent = (slot: number) => ({ count: since(at), ns: Math.round(since(at + slot)) });
        return { rows, computeInput: spent(1), computeInfer: spent(2), computeOutput: spent(3) };
      });
  }

  #makePlace(rows: number): number {
    const at = this.#placeByRows.size * STRIDE;
    if (at === this.#slots.length) {
      const more = new Float64Array(this.#slots.length * 2);
      more.set(this.#slots);
      this.#slots = more;
    }
    this.#placeByRows.set(rows, at);
    return at;
  }
}
