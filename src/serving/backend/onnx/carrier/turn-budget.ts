/** Most time that synchronous runs take of one turn of the event loop, in nanoseconds, all versions together. */
const TURN_BUDGET_NS = 250e3;

/**
 * How much of the present turn of the event loop synchronous runs may still take. Sockets are served between turns, so a
 * turn is held for the budget and the one run that took longer than expected, no more.
 */
export class TurnBudget {
  readonly #budgetNs: number;
  readonly #atTurnEnd: (reset: () => void) => void;
  #usedNs = 0;
  #armed = false;
  readonly #reset = () => {
    this.#armed = false;
    this.#usedNs = 0;
  };

  /** `atTurnEnd` calls back once, when this turn is over. */
  constructor(budgetNs = TURN_BUDGET_NS, atTurnEnd: (reset: () => void) => void = setImmediate) {
    this.#budgetNs = budgetNs;
    this.#atTurnEnd = atTurnEnd;
  }

  /** True where a run that is expected to take `expectedNs` fits into what is left. */
  allows(expectedNs: number): boolean {
    return this.#usedNs + expectedNs <= this.#budgetNs;
  }

  /** True where no synchronous run was in this turn. */
  get untouched(): boolean {
    return this.#usedNs === 0;
  }

  /** A synchronous run took `ns` of this turn. */
  spend(ns: number): void {
    this.#usedNs += ns;
    if (this.#armed) return;
    this.#armed = true;
    this.#atTurnEnd(this.#reset);
  }
}

/** The budget of this thread. */
export const turnBudget = new TurnBudget();
