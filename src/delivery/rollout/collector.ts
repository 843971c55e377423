import {
  BUCKETS,
  type ComparedFact,
  type ReleaseFact,
  type ReleaseFacts,
  type ReleaseSplit,
  type SettledFact,
} from '../../core/index.js';
import type { Calibration } from '../guard-spec.js';
import type { FeedbackTally, Observation } from '../observation.js';
import { BLAME } from './blame.js';
import { OpenExecutions } from './open-executions.js';
import { ArmCount, ShadowCount } from './tallies.js';

/** Splits whose late facts still count: requests in flight, and labels, which come long after. */
const MOST_SPLITS = 256;
/** An execution is whole once no request of it came for so long: those of other threads come some milliseconds later. */
const WHOLE_AFTER_NS = 30e6;

/** Labels of predictions under a split, each given once. */
export interface LabelSource {
  take(split: ReleaseSplit): Readonly<Record<string, FeedbackTally>>;
  /** Numbers of splits that have labels not taken yet. */
  splits(): readonly number[];
}

export interface CollectorOptions {
  readonly baseline: number;
  readonly candidate: number;
  readonly calibrationExecutions: number;
  readonly coldStartExecutions: number;
  readonly labels: LabelSource | undefined;
  readonly nowNs: () => number;
}

type Arm = 'baseline' | 'candidate';

interface Stretch {
  readonly baseline: ArmCount;
  readonly candidate: ArmCount;
  readonly shadow: ShadowCount;
}

/**
 * Makes observations of facts: what each arm did since the last `cut`, by the split that assigned it. The requests of an
 * execution count together, its time once. Times before the calibration go into it. Bounded memory.
 */
export class Collector implements ReleaseFacts {
  readonly #options: CollectorOptions;
  /** The recent ones, by number. */
  readonly #splits = new Map<number, ReleaseSplit>();
  readonly #stretches = new Map<number, Stretch>();
  readonly #executions: Readonly<Record<Arm, OpenExecutions>>;
  #sample: number[] | undefined = [];
  #limitsNs: readonly number[] = [];

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#executions = {
      baseline: new OpenExecutions(0),
      candidate: new OpenExecutions(options.coldStartExecutions),
    };
  }

  /** Facts of this split count from now on. */
  split(split: ReleaseSplit): void {
    this.#splits.set(split.number, split);
    if (this.#splits.size <= MOST_SPLITS) return;
    const oldest = Math.min(...this.#splits.keys());
    this.#splits.delete(oldest);
    this.#stretches.delete(oldest);
  }

  /** A version was loaded anew. */
  reloaded(arm: Arm): void {
    this.#executions[arm].restart(arm === 'candidate' ? this.#options.coldStartExecutions : 0);
  }

  note(fact: ReleaseFact): void {
    if (!this.#splits.has(fact.split)) return;
    const stretch = this.#stretch(fact.split);
    if (fact.kind === 'settled') this.#settled(fact, stretch);
    else if (fact.kind === 'compared') compared(fact, stretch.shadow);
    else stretch.shadow.dropped++;
  }

  /** What the baseline was like, once enough of its executions were seen. Times are compared with it after `calibrate`. */
  calibration(): Calibration | undefined {
    if (this.#sample === undefined || this.#sample.length < this.#options.calibrationExecutions) return undefined;
    const sorted = this.#sample.toSorted((a, b) => a - b);
    const at = (quantile: number) => sorted[Math.ceil(quantile * sorted.length) - 1] as number;
    return { latencyLimitsNs: [at(0.5), at(0.9), at(0.99)], executions: sorted.length };
  }

  calibrate({ latencyLimitsNs }: Calibration): void {
    this.#sample = undefined;
    this.#limitsNs = latencyLimitsNs;
    this.#stretches.clear();
  }

  /** One observation for each split that something was seen of since the last call, oldest split first. */
  cut(atMs: number): Observation[] {
    this.#countWhole('baseline');
    this.#countWhole('candidate');
    const labelled = this.#options.labels?.splits().filter((number) => this.#splits.has(number)) ?? [];
    const numbers = [...new Set([...this.#stretches.keys(), ...labelled])].sort((a, b) => a - b);
    return numbers.flatMap((number) => this.#observation(number, atMs));
  }

  #observation(number: number, atMs: number): Observation[] {
    const split = this.#splits.get(number) as ReleaseSplit;
    const share = split.canaryBuckets / BUCKETS;
    const feedback = this.#options.labels?.take(split) ?? {};
    const seen = this.#stretches.get(number) ?? this.#emptyStretch();
    const observation: Observation = {
      atMs,
      split: number,
      share,
      baseline: seen.baseline.taken(),
      candidate: seen.candidate.taken(),
      shadow: seen.shadow.taken(),
      feedback,
    };
    // What is known of executions that are not whole yet, or of labels that are not settled, waits for the rest.
    if (!somethingSeen(observation)) return [];
    this.#stretches.delete(number);
    return [observation];
  }

  #settled(fact: SettledFact, stretch: Stretch): void {
    const { reason, version, execution, split, totalNs, deviceNs } = fact;
    const arm = version === this.#options.candidate ? 'candidate' : 'baseline';
    // A fallback answered: neither arm did.
    if (arm === 'baseline' && version !== this.#options.baseline) return;
    if (reason !== undefined && BLAME[reason] !== 'server') return;
    const failed = reason !== undefined;
    if (fact.output !== undefined) stretch[arm].output(fact.output);
    if (execution === 0) stretch[arm].alone(failed);
    else if (!this.#executions[arm].add({ execution, split, failed, totalNs, deviceNs }, this.#options.nowNs()))
      stretch[arm].alone(failed);
  }

  #countWhole(arm: Arm): void {
    for (const execution of this.#executions[arm].takeWhole(this.#options.nowNs() - WHOLE_AFTER_NS)) {
      if (!this.#splits.has(execution.split)) continue;
      this.#stretch(execution.split)[arm].execution(execution, this.#limitsNs);
      if (arm === 'baseline' && execution.totalNs !== undefined) this.#measure(execution.totalNs);
    }
  }

  #measure(totalNs: number): void {
    if (this.#sample !== undefined && this.#sample.length < this.#options.calibrationExecutions)
      this.#sample.push(totalNs);
  }

  #stretch(split: number): Stretch {
    let stretch = this.#stretches.get(split);
    if (stretch === undefined) {
      stretch = this.#emptyStretch();
      this.#stretches.set(split, stretch);
    }
    return stretch;
  }

  #emptyStretch(): Stretch {
    const limits = this.#limitsNs.length;
    return { baseline: new ArmCount(limits), candidate: new ArmCount(limits), shadow: new ShadowCount() };
  }
}

function somethingSeen({ baseline, candidate, shadow, feedback }: Observation): boolean {
  const arms = baseline.requests + candidate.requests + baseline.notFinite + candidate.notFinite;
  return arms + shadow.compared + shadow.failed + shadow.dropped > 0 || Object.keys(feedback).length > 0;
}

function compared(fact: ComparedFact, shadow: ShadowCount): void {
  const { comparison, reason } = fact;
  if (comparison === undefined) {
    // What the caller got wrong, or nobody could help, is no fault of the candidate's.
    if (reason === undefined || BLAME[reason] === 'server') shadow.failed++;
    return;
  }
  shadow.compared++;
  if (comparison.agrees) shadow.agreed++;
  if (comparison.topAgrees !== undefined) {
    shadow.topCompared++;
    if (comparison.topAgrees) shadow.topAgreed++;
  }
  if (comparison.rankCorrelation !== undefined) shadow.rankCorrelation.add(comparison.rankCorrelation);
  if (comparison.totalVariation !== undefined) shadow.totalVariation.add(comparison.totalVariation);
}
