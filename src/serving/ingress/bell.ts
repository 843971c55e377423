import type { HandleRing } from './handle-ring.js';

/**
 * Wakes the consumer of a ring after pushes, at the end of the event loop's turn: what a turn brings (the requests of all
 * readable sockets, the answers of a batch) costs one wake-up, and none where the consumer is awake.
 */
export class Bell {
  readonly #ring: HandleRing;
  readonly #wake: () => void;
  #due = false;
  readonly #strike = () => {
    this.#due = false;
    if (this.#ring.takeWake()) this.#wake();
  };

  constructor(ring: HandleRing, wake: () => void) {
    this.#ring = ring;
    this.#wake = wake;
  }

  /** To be called after each push. */
  ring(): void {
    if (this.#due) return;
    this.#due = true;
    setImmediate(this.#strike);
  }
}
