import type {
  Feedback,
  FeedbackChange,
  FeedbackFigures,
  FeedbackIntake,
  FeedbackOutcome,
  ModelVersionId,
  ReleaseFact,
  ReleaseFacts,
  SettledFact,
} from '../../core/index.js';
import type { FeedbackTally } from '../observation.js';
import { EarlyLabels } from './early-labels.js';
import { JoinKeeper, type JoinKeeperOptions } from './join-keeper.js';
import { type AskedSplit, LabelCohorts } from './label-cohorts.js';
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
  /** Told of what was joined, once for a prediction and metric. `wrong`: undefined for values. */
  readonly onJoined?: (id: ModelVersionId, metric: string, wrong: boolean | undefined, value: number) => void;
  /** Undefined: what it holds does not outlive the process. */
  readonly keep?: JoinKeeperOptions;
}

/** What the collector of a rollout asks for when a stretch of time ends. */
export interface FeedbackTallies {
  /**
   * By metric, what may be counted of the labels for predictions of this split; each label is given once, so one collector
   * asks. Labels come long after: ask for the splits before the present one too (`splits`).
   */
  take(split: AskedSplit): Readonly<Record<string, FeedbackTally>>;
  /** Numbers of splits with labels that were not taken yet. */
  splits(): readonly number[];
  /** What is to be kept in one transaction with the observations that took labels for a rollout; undefined: nothing is. */
  changeWith(rollout: string): FeedbackChange | undefined;
  /** All that was taken for a rollout is in observations that are kept, or counts for nothing. */
  keptWith(rollout: string): void;
}

/** Longer ids are not remembered. */
const MOST_ID_LENGTH = 256;
/** Metrics that one prediction may have feedback of. */
const MOST_METRICS = 16;

/**
 * Joins what people learn of predictions with the predictions, by request id, each item once, within bounded memory. Only
 * requests that a split sent to an arm are remembered, over restarts where `keep` says in which store.
 */
export class FeedbackJoin implements FeedbackIntake, FeedbackTallies, ReleaseFacts {
  readonly #options: FeedbackJoinOptions;
  readonly #memory: PredictionMemory;
  readonly #early: EarlyLabels;
  readonly #cohorts: LabelCohorts;
  readonly #keeper: JoinKeeper | undefined;
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
    const parts = { memory: this.#memory, early: this.#early, cohorts: this.#cohorts };
    this.#keeper = options.keep && new JoinKeeper(options.keep, parts);
  }

  /** Takes up what an earlier process left, before the first fact and once the rollouts that go on are known. */
  restore(): void {
    this.#keeper?.restore(this.#options.nowMs());
  }

  /** Keeps what is not kept yet. */
  stop(): void {
    this.#keeper?.stop();
  }

  note(fact: ReleaseFact): void {
    if (fact.kind !== 'settled' || fact.reason !== undefined) return;
    this.#coverage.predicted(fact);
    if (fact.requestId === '' || fact.requestId.length > MOST_ID_LENGTH) this.#unnamed++;
    else this.#remember(fact);
  }

  #remember(fact: SettledFact): void {
    const nowMs = this.#options.nowMs();
    // What no rollout asked for is joined while the process lives.
    const stored = fact.split !== 0 && (this.#keeper?.stores(fact.model) ?? false);
    const { prediction, known } = this.#memory.add(fact, nowMs, stored);
    if (known) {
      this.#ambiguous++;
      if (prediction.stored) this.#keeper?.ambiguous(prediction);
      return;
    }
    if (stored) this.#keeper?.predicted(prediction);
    for (const waiting of this.#early.take(fact.model, fact.requestId, nowMs)) {
      if (waiting.stored) this.#keeper?.found(waiting);
      if (this.#joined(waiting.feedback, prediction, nowMs).kind === 'joined') this.#joinedEarly++;
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
    const waiting = this.#early.add(feedback, nowMs, this.#keeper?.stores(feedback.model) ?? false);
    if (waiting === 'duplicate') return { kind: 'duplicate' };
    if (waiting?.stored === true) this.#keeper?.waits(waiting);
    return { kind: 'unknown' };
  }

  #joined({ metric, said }: Feedback, prediction: Prediction, nowMs: number): FeedbackOutcome {
    const { split, version, atMs, told, stored } = prediction;
    if (prediction.ambiguous) return refused('several requests had this id');
    if (told.includes(metric)) return { kind: 'duplicate' };
    if (told.length === MOST_METRICS) return refused(`a prediction has at most ${MOST_METRICS} metrics`);
    if (split !== 0 && !this.#cohorts.mayHave(split, metric)) return refused('the rollout has too many metrics');
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
    if (stored) this.#keeper?.told(prediction, metric);
    const value = said.kind === 'value' ? said.value : Number(wrong);
    if (split !== 0) this.#cohorts.add({ metric, version, split, predictedMs: atMs, wrong, value, stored });
    this.#options.onJoined?.(prediction, metric, wrong, value);
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

  take(split: AskedSplit): Readonly<Record<string, FeedbackTally>> {
    return this.#cohorts.take(split, this.#options.nowMs());
  }

  splits(): readonly number[] {
    return this.#cohorts.splits();
  }

  changeWith(rollout: string): FeedbackChange | undefined {
    return this.#keeper?.changeWith(rollout);
  }

  keptWith(rollout: string): void {
    this.#keeper?.keptWith(rollout);
  }

  figures(): FeedbackFigures {
    this.#memory.expire(this.#options.nowMs());
    return {
      outcomes: { ...this.#outcomes },
      joinedEarly: this.#joinedEarly,
      predictions: this.#memory.size,
      waiting: this.#early.size,
      unwritten: this.#keeper?.unwritten ?? 0,
      unnamed: this.#unnamed,
      ambiguous: this.#ambiguous,
      versions: this.#coverage.versions(),
    };
  }
}

function refused(why: string): FeedbackOutcome {
  return { kind: 'refused', why };
}
