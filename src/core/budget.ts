/** What may be spent on a tenant or a model in a period; one of the two is given. */
export interface BudgetSpec {
  readonly name: string;
  readonly tenant?: string | undefined;
  readonly model?: string | undefined;
  /** In the ledger's currency; above 0. */
  readonly amount: number;
  /** Of UTC. */
  readonly per: 'day' | 'month';
  /** Parts of the amount at which somebody is told. */
  readonly alertAt: readonly number[];
  readonly action: 'alert' | 'refuse';
  /** Webhooks; undefined: all. */
  readonly notify?: readonly string[] | undefined;
}

/** What is told when a budget is used to one of its thresholds. */
export interface BudgetNotice {
  readonly budget: string;
  readonly tenant?: string;
  readonly model?: string;
  readonly currency: string;
  readonly amount: number;
  readonly used: number;
  readonly threshold: number;
  readonly per: BudgetSpec['per'];
  readonly action: BudgetSpec['action'];
  /** Requests are refused from now on. */
  readonly refusing: boolean;
  /** Wall clock: when the period began, when it ends, and now. */
  readonly periodMs: number;
  readonly renewsMs: number;
  readonly atMs: number;
}

/** Where the words of the board lie: one for whether any budget refuses, then a count each; then an instant each. */
const WORD_BYTES = Int32Array.BYTES_PER_ELEMENT;

/**
 * Which budgets refuse requests, in memory that threads share: written on the control thread, read with requests. A budget is
 * known by its place in the configuration.
 */
export class BudgetBoard {
  readonly memory: SharedArrayBuffer;
  /** How many budgets refuse, then how many requests each has refused. */
  readonly #counts: Int32Array;
  /** Wall clock until which each refuses, in milliseconds; 0 = it does not. */
  readonly #untilMs: Float64Array;

  /** `memory` of another board: what is written to one is read in the other. */
  constructor(budgets: number, memory?: SharedArrayBuffer) {
    const countBytes = Math.ceil(((budgets + 1) * WORD_BYTES) / 8) * 8;
    this.memory = memory ?? new SharedArrayBuffer(countBytes + budgets * Float64Array.BYTES_PER_ELEMENT);
    this.#counts = new Int32Array(this.memory, 0, budgets + 1);
    this.#untilMs = new Float64Array(this.memory, countBytes, budgets);
  }

  get refusesAny(): boolean {
    return this.#counts[0] !== 0;
  }

  /** Until when a budget refuses requests, by the wall clock; 0 = it does not. */
  untilMs(budget: number): number {
    return this.#untilMs[budget] ?? 0;
  }

  set(budget: number, untilMs: number): void {
    this.#untilMs[budget] = untilMs;
    this.#counts[0] = this.#untilMs.reduce((count, one) => count + (one === 0 ? 0 : 1), 0);
  }

  /** Counts a request that a budget refused. */
  refused(budget: number): void {
    Atomics.add(this.#counts, budget + 1, 1);
  }

  /** Requests that a budget refused since this was asked last. */
  takeRefused(budget: number): number {
    return Atomics.exchange(this.#counts, budget + 1, 0) >>> 0;
  }
}
