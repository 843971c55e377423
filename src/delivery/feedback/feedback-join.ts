import type {
  Feedback,
  FeedbackFigures,
  FeedbackIntake,
  FeedbackOutcome,
  ReleaseFact,
  ReleaseFacts,
  ReleaseSplit,
  SettledFact,
} from '../../core/index.js';
import type { FeedbackTally } from '../observation.js';
import { EarlyLabels } from './early-labels.js';
import { LabelCohorts } from './label-cohorts.js';
import { LabelCoverage } from './label-coverage.js';
import { type Prediction, PredictionMemory } from './prediction-memory.js';

export interface FeedbackJoinOptions {
  /** Predictions that are remembered, at most, and for how long. */
  readonly maxPredictions: number;
  readonly keepMs: number;
  /** Feedback that waits for its prediction, at most, and for how long. */
  readonly maxEarly: number;
  readonly earlyMs: number;
  /** In which labels count, see `LabelCohorts`; 0 = as long as their predictions are remembered, and at once. */
  readonly settleMs: number;
  /** Wall clock. */
  readonly nowMs: () => number;
  /** Index of the class called `text` in the first output of a version that has class names; undefined: it has no such class. */
  readonly classIndex: (model: string, version: number, text: string) => number | undefined;
}

/** What the collector of a rollout asks for when a stretch of time ends. */
export interface FeedbackTallies {
  /**
   * By metric, what may be counted of the labels for predictions of this split; each label is given once, so one collector
   * asks. Labels come long after: ask for the splits before the present one too (`splits`).
   */
  take(split: Pick<ReleaseSplit, 'number' | 'baseline' | 'candidate'>): Readonly<Record<string, FeedbackTally>>;
  /** Numbers of splits with labels that were not taken yet. */
  splits(): readonly number[];
}

/** Longer ids are not remembered. */
const MOST_ID_LENGTH = 256;
/** Metrics that one prediction may have feedback of. */
const MOST_METRICS = 16;

/**
 * Joins what people learn of predictions with the predictions, by request id, each item once, within bounded memory. Only
 * requests that a split sent to an arm are remembered. What it holds does not outlive the process: feedback for predictions
 * of an earlier run is unknown.
 */
export class FeedbackJoin implements FeedbackIntake, FeedbackTallies, ReleaseFacts {
  readonly #options: FeedbackJoinOptions;
  readonly #memory: PredictionMemory;
  readonly #early: EarlyLabels;
  readonly #cohorts: LabelCohorts;
  readonly #coverage = new LabelCoverage();
  readonly #outcomes = { joined: 0, unknown: 0, duplicate: 0, late: 0, refused: 0 };
  #joinedEarly = 0;
  #unnamed = 0;
  #ambiguous = 0;

  constructor(options: FeedbackJoinOptions) {
    this.#options = options;
    const { maxPredictions, keepMs, maxEarly, earlyMs, settleMs } = options;
    this.#memory = new PredictionMemory({ maxPredictions, keepMs: Math.max(keepMs, settleMs) });
    this.#early = new EarlyLabels({ maxItems: maxEarly, keepMs: earlyMs });
    this.#cohorts = new LabelCohorts(settleMs);
  }

  note(fact: ReleaseFact): void {
    if (fact.kind !== 'settled' || fact.reason !== undefined) return;
    this.#coverage.predicted(fact);
    if (fact.requestId === '' || fact.requestId.length > MOST_ID_LENGTH) this.#unnamed++;
    else this.#remember(fact);
  }

  #remember(fact: SettledFact): void {
    const nowMs = this.#options.nowMs();
    const prediction = this.#memory.add(fact, nowMs);
    if (prediction === undefined) {
      this.#ambiguous++;
      return;
    }
    for (const feedback of this.#early.take(fact.model, fact.requestId, nowMs)) {
      if (this.#joined(feedback, prediction, nowMs).kind === 'joined') this.#joinedEarly++;
    }
  }

  accept(feedback: Feedback): FeedbackOutcome {
    const outcome = this.#accept(feedback, this.#options.nowMs());
    this.#outcomes[outcome.kind]++;
    return outcome;
  }

  #accept(feedback: Feedback, nowMs: number): FeedbackOutcome {
    const prediction = this.#memory.find(feedback.model, feedback.requestId, nowMs);
    if (prediction !== undefined) return this.#joined(feedback, prediction, nowMs);
    return this.#early.add(feedback, nowMs) ? { kind: 'unknown' } : { kind: 'duplicate' };
  }

  #joined({ metric, said }: Feedback, prediction: Prediction, nowMs: number): FeedbackOutcome {
    const { split, version, atMs, told } = prediction;
    if (prediction.ambiguous) return refused('several requests had this id');
    if (told.includes(metric)) return { kind: 'duplicate' };
    if (told.length === MOST_METRICS) return refused(`a prediction has at most ${MOST_METRICS} metrics`);
    if (!this.#cohorts.mayHave(split, metric)) return refused('the rollout has too many metrics');
    if (!this.#cohorts.counts(atMs, nowMs)) return { kind: 'late' };
    let wrong: boolean | undefined;
    if (said.kind === 'correct') wrong = !said.correct;
    else if (said.kind === 'label') {
      const judged = this.#compare(said.label, prediction);
      if (typeof judged === 'string') return refused(judged);
      wrong = judged;
    }
    if (told.length === 0) this.#coverage.labelled(prediction);
    told.push(metric);
    const value = said.kind === 'value' ? said.value : Number(wrong);
    this.#cohorts.add({ metric, version, split, predictedMs: atMs, wrong, value });
    return { kind: 'joined' };
  }

  /** Whether the prediction was wrong, or why that cannot be said. */
  #compare(label: number | string, { model, version, topIndex }: Prediction): boolean | string {
    if (topIndex === undefined) return 'the answer has no output of numbers to compare a label with; send "correct"';
    if (typeof label === 'number') return label !== topIndex;
    const index = this.#options.classIndex(model, version, label);
    if (index === undefined) return 'the model has no class of this name; send its index, or "correct"';
    return index !== topIndex;
  }

  take(split: Pick<ReleaseSplit, 'number' | 'baseline' | 'candidate'>): Readonly<Record<string, FeedbackTally>> {
    return this.#cohorts.take(split, this.#options.nowMs());
  }

  splits(): readonly number[] {
    return this.#cohorts.splits();
  }

  figures(): FeedbackFigures {
    this.#memory.expire(this.#options.nowMs());
    return {
      outcomes: { ...this.#outcomes },
      joinedEarly: this.#joinedEarly,
      predictions: this.#memory.size,
      waiting: this.#early.size,
      unnamed: this.#unnamed,
      ambiguous: this.#ambiguous,
      versions: this.#coverage.versions(),
    };
  }
}

function refused(why: string): FeedbackOutcome {
  return { kind: 'refused', why };
}
