import type { Clock, ClockTimer, Slo, SloSource, SloStatus } from '../../core/index.js';
import type { RoutePlaces } from '../latency/route-places.js';
import type { VersionFigures } from '../version-figures.js';
import { type JudgeMinute, type MinuteSources, minuteJudge } from './minute-events.js';
import { covers, eventsOf } from './slo-counter.js';
import { type OnSloMove, TrackedSlo } from './tracked-slo.js';

/** How often windows move on: a sixtieth of the shortest one. */
const BEAT_NS = 5e9;
const BEATS_A_MINUTE = 12;

export interface SloBookOptions {
  readonly clock: Clock;
  readonly places: RoutePlaces;
  readonly sources: Omit<MinuteSources, 'wallMs'>;
  readonly onMove: OnSloMove;
}

interface Entry {
  readonly tracked: TrackedSlo;
  readonly judge: JudgeMinute | undefined;
}

/**
 * The SLOs of a gateway: those of its configuration, and those beside its models. Counts from the start of the process on, in
 * a few kilobytes an SLO; without any it does nothing.
 */
export class SloBook implements SloSource {
  readonly sinceMs: number;
  readonly #options: SloBookOptions;
  readonly #entries = new Map<string, Entry>();
  #timer: ClockTimer | undefined;
  #beats = 0;

  constructor(slos: readonly Slo[], options: SloBookOptions) {
    this.#options = options;
    this.sinceMs = options.clock.wallMs();
    for (const slo of slos) this.#add(slo);
  }

  /** What a load found beside a model, in the place of what was beside it before; what is the same goes on. */
  filed(model: string, slos: readonly Slo[]): void {
    for (const [name, { tracked }] of this.#entries) {
      const isBeside = name.startsWith(`${model}/`) && tracked.slo.model === model;
      if (isBeside && !slos.some((slo) => same(slo, tracked.slo))) this.#entries.delete(name);
    }
    for (const slo of slos) if (!this.#entries.has(slo.name)) this.#add(slo);
  }

  /** A request found no version of a model that should be there. */
  absent(model: string): void {
    for (const { tracked } of this.#entries.values()) {
      const { objective, version, route, model: whose } = tracked.slo;
      const whole = version === undefined && route === undefined && (whose === undefined || whose === model);
      if (whole && objective.kind === 'availability') tracked.add(0, 1);
    }
  }

  /** Feedback told whether a prediction is right, or a value. */
  judged(model: string, version: number, metric: string, right: boolean | undefined, value: number): void {
    for (const { tracked } of this.#entries.values()) {
      const { objective } = tracked.slo;
      if (objective.kind !== 'quality' || objective.metric !== metric || !covers(tracked.slo, { model, version }))
        continue;
      if (objective.atLeast !== undefined) tracked.add(Number(value >= objective.atLeast), 1);
      else if (right !== undefined) tracked.add(Number(right), 1);
    }
  }

  /** Whether an SLO is about what feedback says of a model's predictions. */
  wantsFeedback(model: string): boolean {
    return [...this.#entries.values()].some(
      ({ tracked: { slo } }) => slo.objective.kind === 'quality' && (slo.model === undefined || slo.model === model),
    );
  }

  /** The figures of a version are about to go. */
  retiring(figures: VersionFigures): void {
    for (const { tracked } of this.#entries.values()) {
      tracked.absorb(figures);
      tracked.forget(figures);
    }
  }

  /** As of now. */
  statuses(): readonly SloStatus[] {
    this.#advance();
    return this.tracked().map((tracked) => ({
      ...tracked.status(),
      missing: tracked.missing ?? this.#missing(tracked.slo),
    }));
  }

  /** By name; sums as of now. */
  tracked(): readonly TrackedSlo[] {
    this.#absorb();
    return [...this.#entries.values()].map(({ tracked }) => tracked).sort((a, b) => (a.slo.name < b.slo.name ? -1 : 1));
  }

  /** Why nothing can come; undefined: it can. */
  #missing({ model, version, route }: Slo): string | undefined {
    const { places, sources } = this.#options;
    const covered = [...sources.versions()].filter(({ id }) => covers({ model, version }, id));
    if (covered.length === 0) return 'no version that it is about has served yet';
    if (route === undefined || covered.some(({ id }) => places.placeOf(id.model, route) !== undefined))
      return undefined;
    return `no model that it is about has a route '${route}'`;
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = undefined;
  }

  #add(slo: Slo): void {
    const { clock, places, sources, onMove } = this.#options;
    const nowMs = clock.nowNs() / 1e6;
    const tracked = new TrackedSlo(slo, eventsOf(slo, places), sources.versions(), nowMs, onMove);
    const judge = minuteJudge(slo, { ...sources, wallMs: () => clock.wallMs() });
    this.#entries.set(slo.name, { tracked, judge });
    this.#timer ??= this.#next();
  }

  #next(): ClockTimer {
    const { clock } = this.#options;
    return clock.setTimer(clock.nowNs() + BEAT_NS, () => {
      this.#beats++;
      if (this.#beats % BEATS_A_MINUTE === 0) this.#judgeMinute();
      this.#advance();
      this.#timer = this.#entries.size === 0 ? undefined : this.#next();
    });
  }

  #judgeMinute(): void {
    for (const { tracked, judge } of this.#entries.values()) {
      const verdict = judge?.();
      if (verdict === undefined) continue;
      tracked.missing = 'why' in verdict ? verdict.why : undefined;
      if ('good' in verdict) tracked.add(Number(verdict.good), 1);
    }
  }

  #advance(): void {
    this.#absorb();
    const nowMs = this.#options.clock.nowNs() / 1e6;
    for (const { tracked } of this.#entries.values()) tracked.advance(nowMs);
  }

  #absorb(): void {
    for (const figures of this.#options.sources.versions())
      for (const { tracked } of this.#entries.values()) tracked.absorb(figures);
  }
}

/** Plain data. */
function same(one: Slo, other: Slo): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
