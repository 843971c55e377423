import type { Clock, ClockTimer, ReleaseFact, ReleaseFacts } from '../../core/index.js';

/** Facts of one bunch, at most. */
const BUNCH = 256;
/** How long the first fact of a bunch waits for others. */
const WAIT_NS = 10e6;
/** Bunches on their way that the other side has not taken yet, at most: what comes then waits, and beyond a bunch is lost. */
const ON_THEIR_WAY = 4;

/** Sends a bunch, and how many facts were lost before it. */
export type SendFacts = (facts: readonly ReleaseFact[], lost: number) => void;

/** Facts of this thread on their way to the control thread: in bunches, never waited for, bounded. */
export class FactBunches implements ReleaseFacts {
  readonly #clock: Clock;
  readonly #send: SendFacts;
  #bunch: ReleaseFact[] = [];
  #lost = 0;
  #onTheirWay = 0;
  /** The bunch goes as soon as one before it was taken. */
  #due = false;
  #timer: ClockTimer | undefined;

  constructor(clock: Clock, send: SendFacts) {
    this.#clock = clock;
    this.#send = send;
  }

  note(fact: ReleaseFact): void {
    if (this.#bunch.length === BUNCH) {
      this.#lost++;
      return;
    }
    this.#bunch.push(fact);
    if (this.#bunch.length === BUNCH) this.#go();
    else if (!this.#due) this.#timer ??= this.#clock.setTimer(this.#clock.nowNs() + WAIT_NS, () => this.#go());
  }

  /** The other side took a bunch. */
  taken(): void {
    this.#onTheirWay--;
    if (this.#due) this.#go();
  }

  /** Sends what there is, however much is on its way: before the thread ends. */
  flush(): void {
    this.#timer?.clear();
    this.#timer = undefined;
    this.#due = false;
    if (this.#bunch.length === 0 && this.#lost === 0) return;
    const facts = this.#bunch;
    const lost = this.#lost;
    this.#bunch = [];
    this.#lost = 0;
    this.#onTheirWay++;
    this.#send(facts, lost);
  }

  #go(): void {
    if (this.#onTheirWay < ON_THEIR_WAY) this.flush();
    else {
      this.#timer?.clear();
      this.#timer = undefined;
      this.#due = true;
    }
  }
}
