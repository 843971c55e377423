import type { Clock, ClockTimer, FeedbackChange, FeedbackStore, Log } from '../../core/index.js';
import { bunchText, newsOf } from './bunch-text.js';
import type { EarlyLabels, Waiting } from './early-labels.js';
import type { LabelCohorts } from './label-cohorts.js';
import type { Prediction, PredictionMemory } from './prediction-memory.js';
import type { PlacedSum } from './stored-sums.js';

export interface JoinKeeperOptions {
  readonly store: FeedbackStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether a rollout of the model, or any, runs that looks at labels. Asked with every prediction. */
  readonly wanted: (model?: string) => boolean;
}

/** News are written after so long, or at the next turn of the event loop once there are so many. */
const WRITE_AFTER_NS = 250e6;
const MANY_NEWS = 500;
/** News that wait for a store that cannot be written; with more all that was kept is given up, and kept anew from then on. */
const MOST_NEWS = 50_000;
/** Bunches read at once after a restart. */
const PAGE = 1000;

interface Parts {
  readonly memory: PredictionMemory;
  readonly early: EarlyLabels;
  readonly cohorts: LabelCohorts;
}

/**
 * Keeps joins in the store while a rollout runs that looks at labels: news of them in bunches, apart from requests and
 * items; with an observation that took labels all news of before it, so that what is kept of labels is what is known of them.
 */
export class JoinKeeper {
  readonly #options: JoinKeeperOptions;
  readonly #parts: Parts;
  #predicted: Prediction[] = [];
  #told: [number, string][] = [];
  #ambiguous: number[] = [];
  #waiting: Waiting[] = [];
  #found: number[] = [];
  #timer: ClockTimer | undefined;
  #soon = false;
  /** Whether the store may hold something. */
  #holds = false;
  #bunchesAnew = false;
  #sumsAnew = false;
  #failing = false;
  #stopped = false;

  constructor(options: JoinKeeperOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** News that are not written yet: what a kill would lose. */
  get unwritten(): number {
    return (
      this.#predicted.length + this.#told.length + this.#ambiguous.length + this.#waiting.length + this.#found.length
    );
  }

  /** Whether what becomes known of predictions of the model is to be stored. */
  stores(model: string): boolean {
    return this.#options.wanted(model) && this.#options.store.durable;
  }

  predicted(prediction: Prediction): void {
    this.#predicted.push(prediction);
    this.#news();
  }

  told(prediction: Prediction, metric: string): void {
    this.#told.push([prediction.number, metric]);
    this.#news();
  }

  ambiguous(prediction: Prediction): void {
    this.#ambiguous.push(prediction.number);
    this.#news();
  }

  waits(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#news();
  }

  found(waiting: Waiting): void {
    this.#found.push(waiting.number);
    this.#news();
  }

  /**
   * What an earlier process left, where a rollout goes on that wants it; before the first fact. The store is to be read before
   * anything is written to it.
   */
  restore(nowMs: number): void {
    const { store, wanted, log } = this.#options;
    const { memory, early, cohorts } = this.#parts;
    if (!store.durable) return;
    const sums = store.labelSums();
    this.#holds = sums.length > 0 || store.feedbackBunches(0, 1).length > 0;
    if (!this.#holds) return;
    if (!wanted()) {
      this.#write();
      return;
    }
    const predictions = new Map<number, Prediction>();
    const waiting = new Map<number, Waiting>();
    for (let after = 0; ; ) {
      const page = store.feedbackBunches(after, PAGE);
      for (const { body, lastPrediction, lastEarly } of page) {
        memory.continueAfter(lastPrediction);
        early.continueAfter(lastEarly);
        const news = newsOf(body);
        for (const one of news.predicted) predictions.set(one.number, one);
        for (const [number, metric] of news.told) predictions.get(number)?.told.push(metric);
        for (const number of news.ambiguous) markAmbiguous(predictions.get(number));
        for (const one of news.waiting) waiting.set(one.number, one);
        for (const number of news.found) waiting.delete(number);
      }
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) break;
      after = last.sequence;
    }
    for (const one of predictions.values()) memory.restore(one);
    for (const one of waiting.values()) early.restore(one);
    memory.expire(nowMs);
    for (const one of sums) cohorts.restore(one);
    // The settling time may be another one now.
    this.#sumsAnew = cohorts.stored.changed;
    log.info('feedback goes on', { predictions: memory.size, waiting: early.size });
  }

  /** What has to be written with the observations of a rollout; undefined: they took nothing that is stored. */
  changeWith(rollout: string): FeedbackChange | undefined {
    const { stored } = this.#parts.cohorts;
    return stored.hasTaken(rollout) ? this.#change(stored.rows(rollout)) : undefined;
  }

  /** That change is written. */
  keptWith(rollout: string): void {
    const { stored } = this.#parts.cohorts;
    if (stored.hasTaken(rollout)) this.#written(stored.rows(rollout), rollout);
    // Its rollout may have ended, and nobody want what is stored any more.
    if (this.#holds) this.#arm();
  }

  /** Writes what is not written; nothing is after. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.clear();
    this.#write();
  }

  #news(): void {
    if (this.#timer === undefined || (!this.#soon && this.unwritten >= MANY_NEWS)) this.#arm();
  }

  #arm(): void {
    if (this.#stopped) return;
    const { clock } = this.#options;
    this.#soon = this.unwritten >= MANY_NEWS && !this.#failing;
    if (this.#timer !== undefined && !this.#soon) return;
    this.#timer?.clear();
    this.#timer = clock.setTimer(clock.nowNs() + (this.#soon ? 0 : WRITE_AFTER_NS), () => {
      this.#timer = undefined;
      this.#write();
    });
  }

  #write(): void {
    const { store, wanted, log } = this.#options;
    const { stored } = this.#parts.cohorts;
    const unwanted = !wanted();
    if (unwanted) {
      this.#giveUp();
      stored.forgetAll();
      if (!this.#holds) return;
    } else if (this.unwritten === 0 && !stored.changed) return;
    const rows = stored.rows();
    try {
      store.keepFeedback(this.#change(rows));
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) log.error('joins of feedback cannot be kept: a restart would forget them', { error });
      this.#failing = true;
      if (this.unwritten > MOST_NEWS) this.#giveUp();
      this.#arm();
      return;
    }
    this.#written(rows);
    this.#holds = !unwanted;
  }

  /** Nothing that was kept is worth more than what will be. */
  #giveUp(): void {
    this.#clear();
    this.#bunchesAnew = true;
    this.#sumsAnew = true;
    this.#parts.cohorts.stored.rewriteAll();
  }

  #change(rows: readonly PlacedSum[]): FeedbackChange {
    const { memory, early, cohorts } = this.#parts;
    const news = {
      predicted: this.#predicted,
      told: this.#told,
      ambiguous: this.#ambiguous,
      waiting: this.#waiting,
      found: this.#found,
    };
    return {
      bunchesAnew: this.#bunchesAnew,
      sumsAnew: this.#sumsAnew,
      bunch:
        this.unwritten === 0
          ? undefined
          : { lastPrediction: memory.last, lastEarly: early.last, body: bunchText(news) },
      sums: rows.map((row) => cohorts.rowOf(row)),
      firstPrediction: memory.first,
      firstEarly: early.first,
    };
  }

  #written(rows: readonly PlacedSum[], rollout?: string): void {
    this.#clear();
    this.#bunchesAnew = false;
    this.#sumsAnew = false;
    this.#holds = true;
    this.#parts.cohorts.stored.written(rows, rollout);
  }

  #clear(): void {
    this.#predicted = [];
    this.#told = [];
    this.#ambiguous = [];
    this.#waiting = [];
    this.#found = [];
  }
}

function markAmbiguous(prediction: Prediction | undefined): void {
  if (prediction !== undefined) prediction.ambiguous = true;
}
