/** Good events and all of them. */
export interface EventSums {
  readonly good: number;
  readonly events: number;
}

/** Parts of a window: how exactly its begin is known. */
const STEPS = 60;

/**
 * Events of the last so many milliseconds, out of sums that only grow: what they were at each step of the window is kept, 61
 * pairs whatever comes. A window reaches back to its begin or up to a step more; what was before the first note is not known.
 */
export class WindowSums {
  readonly #stepMs: number;
  /** The sums when a step began, by its number modulo the length. */
  readonly #good = new Float64Array(STEPS + 1);
  readonly #events = new Float64Array(STEPS + 1);
  #first = -1;
  #last = -1;
  #now: EventSums = { good: 0, events: 0 };

  constructor(windowMs: number) {
    this.#stepMs = windowMs / STEPS;
  }

  /** The sums at this time, which never goes back. The first ones are where counting begins. */
  note(nowMs: number, now: EventSums): void {
    const step = Math.floor(nowMs / this.#stepMs);
    if (this.#first === -1) {
      this.#first = step;
      this.#last = step;
      this.#keep(step, now);
    }
    // Nothing is known to have come in the steps between: what came since counts for the present one.
    for (let missed = Math.max(this.#last + 1, step - STEPS); missed <= step; missed++) this.#keep(missed, this.#now);
    this.#last = step;
    this.#now = now;
  }

  /** What came within the window, as of the last note. */
  get sums(): EventSums {
    if (this.#first === -1) return { good: 0, events: 0 };
    const from = Math.max(this.#last - STEPS, this.#first) % (STEPS + 1);
    return {
      good: this.#now.good - (this.#good[from] as number),
      events: this.#now.events - (this.#events[from] as number),
    };
  }

  #keep(step: number, { good, events }: EventSums): void {
    const at = step % (STEPS + 1);
    this.#good[at] = good;
    this.#events[at] = events;
  }
}
