import {
  BURN_WINDOW_MINUTES,
  burnAlerts,
  SLO_MOVES,
  type Slo,
  type SloState,
  type SloStatus,
  StateMachine,
} from '../../core/index.js';
import type { VersionFigures } from '../version-figures.js';
import { covers, type ReadEvents } from './slo-counter.js';
import { type EventSums, WindowSums } from './window-sums.js';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Told of the moves of an SLO. */
export type OnSloMove = (slo: Slo, from: SloState, to: SloState, why: string) => void;

/** One SLO as it is counted: sums that only grow, whatever becomes of versions, and the windows that alerts look at. */
export class TrackedSlo {
  readonly slo: Slo;
  readonly #read: ReadEvents | undefined;
  readonly #seen = new Map<VersionFigures, EventSums>();
  readonly #windows: ReadonlyMap<number, WindowSums>;
  readonly #whole: WindowSums;
  readonly #machine: StateMachine<SloState>;
  readonly #beganMs: number;
  #sums: EventSums = { good: 0, events: 0 };
  #nowMs: number;
  /** Why its events cannot be counted. */
  missing: string | undefined;

  /** `present`: figures there are already, whose events so far are not its own. `nowMs`: monotonic. */
  constructor(
    slo: Slo,
    read: ReadEvents | undefined,
    present: Iterable<VersionFigures>,
    nowMs: number,
    onMove: OnSloMove,
  ) {
    this.slo = slo;
    this.#read = read;
    this.#windows = new Map(BURN_WINDOW_MINUTES.map((minutes) => [minutes, new WindowSums(minutes * MINUTE_MS)]));
    this.#whole = new WindowSums(slo.windowDays * DAY_MS);
    this.#machine = new StateMachine<SloState>(SLO_MOVES, 'ok', (from, to, why) => onMove(slo, from, to, why));
    this.#beganMs = nowMs;
    this.#nowMs = nowMs;
    if (read !== undefined)
      for (const figures of present) if (covers(slo, figures.id)) this.#seen.set(figures, read(figures));
    this.#noteAll();
  }

  /** Good events and all since counting began. */
  get sums(): EventSums {
    return this.#sums;
  }

  get state(): SloState {
    return this.#machine.state;
  }

  /** Takes in what a version has counted since it was last read. */
  absorb(figures: VersionFigures): void {
    if (this.#read === undefined || !covers(this.slo, figures.id)) return;
    const before = this.#seen.get(figures) ?? { good: 0, events: 0 };
    const now = this.#read(figures);
    this.#seen.set(figures, now);
    this.add(now.good - before.good, now.events - before.events);
  }

  /** The version is gone, its last figures absorbed. */
  forget(figures: VersionFigures): void {
    this.#seen.delete(figures);
  }

  add(good: number, events: number): void {
    this.#sums = { good: this.#sums.good + good, events: this.#sums.events + events };
  }

  /** Time has passed: moves the windows on, and to another state where alerts begin or end. */
  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#noteAll();
    const burning = burnAlerts(this.slo).filter(
      ({ longMinutes, shortMinutes, rate }) =>
        this.#of(longMinutes).events >= this.slo.minEvents &&
        this.#rate(longMinutes) >= rate &&
        this.#rate(shortMinutes) >= rate,
    );
    const [most] = burning;
    const state: SloState = burning.some(({ severity }) => severity === 'page') ? 'page' : (most?.severity ?? 'ok');
    if (state === this.#machine.state) return;
    this.#machine.move(
      state,
      most === undefined
        ? 'the budget is not spent too fast any more'
        : `the budget is spent ${rounded(this.#rate(most.longMinutes))} times as fast as it lasts, for ${most.longMinutes} minutes`,
    );
  }

  status(): SloStatus {
    const { good, events } = this.#whole.sums;
    const coveredMs = Math.min(this.#nowMs - this.#beganMs, this.slo.windowDays * DAY_MS);
    return {
      slo: this.slo,
      state: this.state,
      events,
      good,
      budgetRemaining: events === 0 ? 1 : 1 - (events - good) / (events * (1 - this.slo.target)),
      coveredSeconds: Math.floor(coveredMs / 1000),
      burn: BURN_WINDOW_MINUTES.map((minutes) => ({
        minutes,
        rate: this.#rate(minutes),
        events: this.#of(minutes).events,
      })),
      missing: this.missing,
    };
  }

  #noteAll(): void {
    for (const window of this.#windows.values()) window.note(this.#nowMs, this.#sums);
    this.#whole.note(this.#nowMs, this.#sums);
  }

  #of(minutes: number): EventSums {
    return (this.#windows.get(minutes) as WindowSums).sums;
  }

  /** How fast the budget is spent: 1 = it lasts just for the window. */
  #rate(minutes: number): number {
    const { good, events } = this.#of(minutes);
    return events === 0 ? 0 : (events - good) / events / (1 - this.slo.target);
  }
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
