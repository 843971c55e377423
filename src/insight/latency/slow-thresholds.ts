import type { Clock, ClockTimer } from '../../core/index.js';
import type { VersionFigures } from '../version-figures.js';
import type { LatencySketch } from './latency-sketch.js';

/** When a request is slow: the least of those that are given counts. */
export interface SlowRules {
  readonly overMs?: number | undefined;
  /** Times the version's own aim (`slo_ms`); without effect on versions without one. */
  readonly timesSlo?: number | undefined;
  /** Times the 99th percentile of the version's recent requests. */
  readonly timesP99?: number | undefined;
}

/** How often the percentile is taken anew, and of how many requests at least. */
const BEAT_NS = 10e9;
const LEAST_REQUESTS = 100;

interface Watched {
  readonly figures: VersionFigures;
  readonly fixedNs: number;
  seen: LatencySketch;
}

/** Tells versions from when on their requests are slow. A percentile is that of the last stretch in which enough came. */
export class SlowThresholds {
  readonly #rules: SlowRules;
  readonly #clock: Clock;
  readonly #watched = new Map<VersionFigures, Watched>();
  #timer: ClockTimer | undefined;

  constructor(rules: SlowRules, clock: Clock) {
    this.#rules = rules;
    this.#clock = clock;
  }

  /** A version is going to serve. `sloMs`: 0 = it has no aim. */
  watch(figures: VersionFigures, sloMs: number): void {
    const { overMs, timesSlo, timesP99 } = this.#rules;
    const fixedMs = [overMs, sloMs > 0 && timesSlo !== undefined ? timesSlo * sloMs : undefined];
    const fixedNs = Math.min(...fixedMs.map((given) => (given ?? Number.POSITIVE_INFINITY) * 1e6));
    figures.setSlowNs(fixedNs);
    if (timesP99 === undefined) return;
    this.#watched.set(figures, { figures, fixedNs, seen: figures.latency() });
    this.#timer ??= this.#next();
  }

  /** The version was unloaded. */
  forget(figures: VersionFigures): void {
    this.#watched.delete(figures);
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #next(): ClockTimer {
    return this.#clock.setTimer(this.#clock.nowNs() + BEAT_NS, () => {
      const { timesP99 = Number.POSITIVE_INFINITY } = this.#rules;
      for (const watched of this.#watched.values()) {
        const now = watched.figures.latency();
        const since = now.since(watched.seen);
        if (since.count < LEAST_REQUESTS) continue;
        watched.seen = now;
        watched.figures.setSlowNs(Math.min(watched.fixedNs, since.quantileS(0.99) * 1e9 * timesP99));
      }
      this.#timer = this.#watched.size === 0 ? undefined : this.#next();
    });
  }
}
