import { ServingError } from '../../core/index.js';

/**
 * Operations on one model, one after another. An operation may answer its caller before its turn ends: what it hands to
 * `hold` belongs to the turn. Bounded: past `mostWaiting` callers are refused with OVERLOADED.
 */
export class Turns {
  readonly #mostWaiting: number;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(mostWaiting: number) {
    this.#mostWaiting = mostWaiting;
  }

  take<T>(what: string, operation: (hold: (rest: Promise<void>) => void) => Promise<T>): Promise<T> {
    if (this.#waiting >= this.#mostWaiting) {
      return Promise.reject(new ServingError('OVERLOADED', `${what}: ${this.#waiting} loads and unloads already wait`));
    }
    this.#waiting++;
    const held: Promise<void>[] = [];
    const answer = this.#last.then(() => {
      this.#waiting--;
      return operation((rest) => held.push(rest));
    });
    this.#last = answer.then(
      () => settled(held),
      () => settled(held),
    );
    return answer;
  }

  /** Resolves when every operation taken so far has ended. Never rejects. */
  idle(): Promise<void> {
    return this.#last;
  }
}

function settled(held: readonly Promise<void>[]): Promise<void> {
  return Promise.allSettled(held).then(() => undefined);
}

/** A number of places that loads share, first come first served. */
export class LoadSlots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots: number) {
    this.#free = Math.max(1, slots);
  }

  /** Runs `work` when a place is free. The queue is as long as there are versions to load, no longer. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
