import type { OutputComparison } from '../../core/index.js';

/** Times of one side in milliseconds. */
export interface Latency {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** One request whose answers differ. */
export interface Difference {
  readonly file: string;
  /** In its file, from 0. */
  readonly row: number;
  readonly id: string;
  readonly topAgrees: boolean | undefined;
  readonly maxAbsoluteError: number;
  readonly maxRelativeError: number;
}

/** Why a row was not sent again. */
export type Skipped = 'redacted' | 'not_answered' | 'raw' | 'other_model';

export interface ReplayReport {
  readonly model: string;
  /** A version, or a repository. */
  readonly candidate: string;
  readonly baseline: string | undefined;
  readonly replayed: number;
  readonly skipped: Readonly<Record<Skipped, number>>;
  readonly failed: number;
  /** Messages of the first that failed. */
  readonly failures: readonly string[];
  readonly compared: number;
  readonly agreed: number;
  readonly topCompared: number;
  readonly topAgreed: number;
  readonly maxAbsoluteError: number;
  readonly maxRelativeError: number;
  /** Means over what has them; undefined where nothing has. */
  readonly rankCorrelation: number | undefined;
  readonly totalVariation: number | undefined;
  /** The first ones. */
  readonly differences: readonly Difference[];
  readonly latencyMs: {
    /** As the gateway took it that made the capture. */
    readonly captured: Latency | undefined;
    /** As this command took it, from sending to the answer. */
    readonly candidate: Latency | undefined;
    readonly baseline: Latency | undefined;
  };
  readonly passed: boolean;
  /** Why it did not. */
  readonly faults: readonly string[];
}

export interface ReplayLimits {
  /** Least share of compared answers that agree. */
  readonly minAgreement: number;
  /** Most requests that may fail. */
  readonly maxFailed: number;
  /** Of the candidate's p50 beside the baseline's; undefined: no limit. */
  readonly maxLatencyRatio: number | undefined;
}

const MOST_TOLD = 10;

/** What a replay finds, while it runs. */
export class ReplayTally {
  readonly skipped: Record<Skipped, number> = { redacted: 0, not_answered: 0, raw: 0, other_model: 0 };
  replayed = 0;
  failed = 0;
  readonly #failures: string[] = [];
  readonly #differences: Difference[] = [];
  readonly #captured: number[] = [];
  readonly #candidate: number[] = [];
  readonly #baseline: number[] = [];
  #compared = 0;
  #agreed = 0;
  #topCompared = 0;
  #topAgreed = 0;
  #maxAbsoluteError = 0;
  #maxRelativeError = 0;
  readonly #rank = { sum: 0, count: 0 };
  readonly #variation = { sum: 0, count: 0 };

  /** Answers that were compared, or not where nothing of the captured one is left. */
  answered(comparison: OutputComparison | undefined, at: Pick<Difference, 'file' | 'row' | 'id'>): void {
    this.replayed++;
    if (comparison === undefined) return;
    const { agrees, topAgrees, maxAbsoluteError, maxRelativeError, rankCorrelation, totalVariation } = comparison;
    this.#compared++;
    if (agrees) this.#agreed++;
    else if (this.#differences.length < MOST_TOLD) {
      this.#differences.push({ ...at, topAgrees, maxAbsoluteError, maxRelativeError });
    }
    if (topAgrees !== undefined) this.#topCompared++;
    if (topAgrees === true) this.#topAgreed++;
    this.#maxAbsoluteError = Math.max(this.#maxAbsoluteError, maxAbsoluteError);
    this.#maxRelativeError = Math.max(this.#maxRelativeError, maxRelativeError);
    add(this.#rank, rankCorrelation);
    add(this.#variation, totalVariation);
  }

  fail(message: string): void {
    this.replayed++;
    this.failed++;
    if (this.#failures.length < MOST_TOLD) this.#failures.push(message);
  }

  took(captured: number, candidate: number, baseline: number | undefined): void {
    this.#captured.push(captured);
    this.#candidate.push(candidate);
    if (baseline !== undefined) this.#baseline.push(baseline);
  }

  report(of: Pick<ReplayReport, 'model' | 'candidate' | 'baseline'>, limits: ReplayLimits): ReplayReport {
    const latencyMs = {
      captured: latencyOf(this.#captured),
      candidate: latencyOf(this.#candidate),
      baseline: latencyOf(this.#baseline),
    };
    const found = {
      ...of,
      replayed: this.replayed,
      skipped: this.skipped,
      failed: this.failed,
      failures: this.#failures,
      compared: this.#compared,
      agreed: this.#agreed,
      topCompared: this.#topCompared,
      topAgreed: this.#topAgreed,
      maxAbsoluteError: this.#maxAbsoluteError,
      maxRelativeError: this.#maxRelativeError,
      rankCorrelation: mean(this.#rank),
      totalVariation: mean(this.#variation),
      differences: this.#differences,
      latencyMs,
    };
    const faults = faultsOf(found, limits);
    return { ...found, passed: faults.length === 0, faults };
  }
}

function faultsOf(
  found: Omit<ReplayReport, 'passed' | 'faults'>,
  { minAgreement, maxFailed, maxLatencyRatio }: ReplayLimits,
): readonly string[] {
  const { compared, agreed, failed, replayed, latencyMs } = found;
  const faults: string[] = [];
  if (replayed === 0) faults.push('nothing of the capture could be sent again');
  else if (compared === 0 && failed === 0) faults.push('nothing of the captured answers is left to compare with');
  if (failed > maxFailed) faults.push(`${failed} of ${replayed} requests failed, at most ${maxFailed} may`);
  if (compared > 0 && agreed / compared < minAgreement) {
    faults.push(
      `${agreed} of ${compared} answers agree (${percent(agreed / compared)}), at least ${percent(minAgreement)} have to`,
    );
  }
  const { candidate, baseline } = latencyMs;
  if (maxLatencyRatio !== undefined && candidate !== undefined && baseline !== undefined) {
    const ratio = candidate.p50 / baseline.p50;
    if (ratio > maxLatencyRatio) {
      faults.push(
        `its p50 is ${ratio.toFixed(2)} times that of the baseline, at most ${maxLatencyRatio} times are allowed`,
      );
    }
  }
  return faults;
}

export function percent(share: number): string {
  return `${Number((share * 100).toFixed(3))} %`;
}

function add(to: { sum: number; count: number }, value: number | undefined): void {
  if (value === undefined) return;
  to.sum += value;
  to.count++;
}

function mean({ sum, count }: { readonly sum: number; readonly count: number }): number | undefined {
  return count === 0 ? undefined : sum / count;
}

function latencyOf(times: readonly number[]): Latency | undefined {
  if (times.length === 0) return undefined;
  const sorted = Float64Array.from(times).sort();
  const at = (quantile: number) => sorted[Math.min(sorted.length - 1, Math.floor(quantile * sorted.length))] as number;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
