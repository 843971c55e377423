import {
  type Clock,
  decideEjection,
  EJECTION_MOVES,
  type EjectionSettings,
  type EjectionState,
  StateMachine,
} from '../../core/index.js';

/** Told of a version that was taken out of its splits, tried, or taken in again. */
export type OnEjection = (state: EjectionState, why: string) => void;

/** The outcomes of one version, and whether it is ejected for them. */
export class VersionHealth {
  readonly #clock: Clock;
  readonly #machine: StateMachine<EjectionState>;
  #times = 0;
  #untilNs = 0;
  #failuresInRow = 0;
  /** 1 = it failed; a ring of the last outcomes. */
  #ring = new Uint8Array(0);
  #outcomes = 0;
  #failures = 0;
  #next = 0;
  #probeRuns = false;

  constructor(clock: Clock, onMove: OnEjection) {
    this.#clock = clock;
    this.#machine = new StateMachine<EjectionState>(EJECTION_MOVES, 'admitted', (_, to, why) => onMove(to, why));
  }

  /** Its splits pass it over. */
  get out(): boolean {
    return this.#machine.state !== 'admitted';
  }

  /** Whether the request at hand is to find out if it works again; one at a time, once the ejection is over. */
  mayProbe(): boolean {
    if (!this.out || this.#probeRuns || this.#clock.nowNs() < this.#untilNs) return false;
    if (this.#machine.state === 'ejected') this.#machine.move('probing', 'its time is over');
    this.#probeRuns = true;
    return true;
  }

  /** A probe ended and says nothing: the next one may run. */
  unknown(): void {
    this.#probeRuns = false;
  }

  /** Takes an outcome. `others`: whether another version can take its requests; else it stays. */
  note(settings: EjectionSettings, outcome: 'answered' | 'failed', isProbe: boolean, others: boolean): void {
    const { state } = this.#machine;
    if (isProbe) this.#probeRuns = false;
    if (state === 'probing' ? !isProbe : state === 'ejected') return;
    this.#count(settings.window, outcome === 'failed');
    const facts = {
      state,
      times: this.#times,
      untilNs: this.#untilNs,
      failuresInRow: this.#failuresInRow,
      outcomes: this.#outcomes,
      failures: this.#failures,
    };
    const move = decideEjection(settings, facts, outcome, this.#clock.nowNs());
    if (move === undefined || (move.to === 'ejected' && state === 'admitted' && !others)) return;
    if (move.to === 'ejected') {
      this.#times = move.times;
      this.#untilNs = move.untilNs;
    }
    this.#forget();
    this.#machine.move(move.to, move.why);
  }

  #count(window: number, failed: boolean): void {
    if (this.#ring.length !== window) this.#forget(window);
    this.#failuresInRow = failed ? this.#failuresInRow + 1 : 0;
    if (this.#outcomes === window) this.#failures -= this.#ring[this.#next] as number;
    else this.#outcomes++;
    this.#ring[this.#next] = Number(failed);
    this.#failures += Number(failed);
    this.#next = (this.#next + 1) % window;
  }

  /** What was before says nothing of what comes. */
  #forget(window = this.#ring.length): void {
    this.#ring = new Uint8Array(window);
    this.#outcomes = 0;
    this.#failures = 0;
    this.#failuresInRow = 0;
    this.#next = 0;
  }
}
