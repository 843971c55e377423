import type { LoggedEntry } from '../../delivery/index.js';
import { textTable } from '../text-table.js';
import type { RolloutView } from './rollout-client.js';

/** A rollout as text, for `status` and the live view. */
export function rolloutText(view: RolloutView): string {
  const { id, model, candidate, baseline, state, step, steps, why, canaryPercent, shadowPercent, totals } = view;
  const lines = [
    `${id}: version ${candidate} of ${model} in the place of ${baseline}`,
    `${state}, step ${step + 1} of ${steps}${why === '' ? '' : `: ${why}`}`,
    `candidate answers ${canaryPercent} % of the requests, gets copies of ${shadowPercent} %`,
    `seen: ${totals.candidate} requests of the candidate, ${totals.baseline} of the baseline, ${totals.compared} copies`,
  ];
  const guards = view.guards.map((guard) => [
    guard.name,
    guard.verdict,
    share(guard.estimate.candidate),
    share(guard.estimate.baseline),
    interval(guard.difference),
    evidenceBar(guard.logHarm, guard.logHarmLimit),
  ]);
  const table =
    guards.length === 0
      ? ''
      : `\n${textTable(['guard', 'verdict', 'candidate', 'baseline', 'difference', 'evidence of harm'], guards)}`;
  const waiting = view.waitingFor.map((what) => `waits for ${what}\n`).join('');
  return `${lines.join('\n')}\n${table}${waiting === '' ? '' : `\n${waiting}`}`;
}

/** One line for what people want to read of in a log; undefined for the rest. */
export function entryText({ atMs, entry }: LoggedEntry): string | undefined {
  const at = new Date(atMs).toISOString();
  switch (entry.kind) {
    case 'started':
      return `${at} started: version ${entry.candidate} of ${entry.plan.model} in the place of ${entry.baseline}, by ${entry.by}`;
    case 'calibrated':
      return `${at} baseline measured: ${entry.calibration.latencyLimitsNs.map((ns) => `${number(ns / 1e6)} ms`).join(', ')} at p50, p90, p99`;
    case 'gates':
      return `${at} gates ${entry.passed ? 'passed' : 'refused'}: ${entry.why}`;
    case 'verdict':
      return `${at} guard ${entry.evidence.name} ${entry.evidence.verdict}: ${entry.evidence.explanation}`;
    case 'asked':
      return `${at} ${entry.command.kind} asked by ${entry.by}`;
    case 'moved': {
      const { split } = entry;
      const share =
        split === undefined ? '' : `, ${split.canaryBuckets / 100} % canary, ${split.shadowBuckets / 100} % copies`;
      return `${at} ${entry.to}, step ${entry.step + 1}${share} (${entry.code}): ${entry.why}`;
    }
    case 'observed':
    case 'arms':
      return undefined;
  }
}

/** A figure with the digits that matter. */
export function number(value: number): string {
  return `${Number(value.toPrecision(3))}`;
}

function share(value: number | undefined | null): string {
  return value === undefined || value === null ? '-' : number(value);
}

function interval(bounds: { readonly lower: number; readonly upper: number } | undefined): string {
  return bounds === undefined ? '-' : `${number(bounds.lower)} .. ${number(bounds.upper)}`;
}

const BAR = 10;

function evidenceBar(logHarm: number | null, limit: number): string {
  const part = logHarm === null ? 0 : Math.min(1, Math.max(0, logHarm / limit));
  const full = Math.round(part * BAR);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}] ${Math.round(part * 100)} %`;
}
