/** A table of allowed moves: each state to the states that may follow it. */
export type MoveTable<S extends string> = { readonly [state in S]: readonly S[] };

/**
 * One machine of the kind described by a table. `move` is the only way to another state; it refuses what the table does
 * not allow and tells the observer, who logs and counts.
 */
export class StateMachine<S extends string> {
  readonly #table: MoveTable<S>;
  readonly #onMove: (from: S, to: S, why: string) => void;
  #state: S;

  constructor(table: MoveTable<S>, initial: S, onMove: (from: S, to: S, why: string) => void = () => {}) {
    this.#table = table;
    this.#state = initial;
    this.#onMove = onMove;
  }

  get state(): S {
    return this.#state;
  }

  allows(to: S): boolean {
    return this.#table[this.#state].includes(to);
  }

  /** Moves to `to`, or throws an `Error` (our own mistake, never a caller's) where the table refuses. */
  move(to: S, why = ''): void {
    const from = this.#state;
    if (!this.allows(to)) throw new Error(`no move from ${from} to ${to}${why === '' ? '' : ` (${why})`}`);
    this.#state = to;
    this.#onMove(from, to, why);
  }
}
