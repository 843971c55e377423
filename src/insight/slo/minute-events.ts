import type { CostKey, LedgerSnapshot, ModelVersionId, Slo } from '../../core/index.js';
import type { VersionFigures } from '../version-figures.js';
import { covers } from './slo-counter.js';

/** What is asked of the gateway for objectives that are looked at once a minute. */
export interface MinuteSources {
  /** Undefined: no ledger is kept. */
  readonly ledger: (() => LedgerSnapshot) | undefined;
  /** When the newest file of a version was written, by the wall clock; undefined: not known. */
  readonly writtenMs: (id: ModelVersionId) => number | undefined;
  readonly wallMs: () => number;
  readonly versions: () => Iterable<VersionFigures>;
}

/** What one minute was: good, bad, or nothing to be said of it, for `why` where it can never be said. */
export type MinuteVerdict = { readonly good: boolean } | { readonly why: string | undefined };

/** Looks at an SLO's minutes, one after the other. */
export type JudgeMinute = () => MinuteVerdict;

const HOUR_MS = 3_600_000;
const QUIET: MinuteVerdict = Object.freeze({ why: undefined });

/** Undefined for objectives that are counted by requests or by feedback. */
export function minuteJudge(slo: Slo, sources: MinuteSources): JudgeMinute | undefined {
  const { objective } = slo;
  if (objective.kind === 'cost') return costJudge(slo, objective.perRequest, sources);
  if (objective.kind !== 'freshness') return undefined;
  const maxAgeMs = objective.maxAgeHours * HOUR_MS;
  return objective.of === 'version' ? versionJudge(slo, maxAgeMs, sources) : answerJudge(slo, maxAgeMs, sources);
}

/** What the requests of the minute cost, without what others or an idle device cost. */
function costJudge(slo: Slo, perRequest: number, { ledger }: MinuteSources): JudgeMinute {
  if (ledger === undefined) return () => ({ why: 'no cost ledger is kept' });
  let before = spentOn(slo, ledger());
  return () => {
    const snapshot = ledger();
    if (!snapshot.devices.some(({ pricePerHour }) => pricePerHour > 0)) return { why: 'no device has a price' };
    const now = spentOn(slo, snapshot);
    const amount = now.amount - before.amount;
    const requests = now.requests - before.requests;
    before = now;
    return requests > 0 ? { good: amount <= perRequest * requests } : QUIET;
  };
}

/** Money of all kinds of a model's lines but for releases that are tried; requests that callers asked for. */
function spentOn(slo: Slo, { lines }: LedgerSnapshot): { amount: number; requests: number } {
  const spent = { amount: 0, requests: 0 };
  for (const line of lines) {
    if (!covers(slo, line) || OF_RELEASES.includes(line.kind)) continue;
    spent.amount += line.amount;
    if (line.kind === 'direct') spent.requests += line.requests;
  }
  return spent;
}

const OF_RELEASES: readonly CostKey['kind'][] = ['canary', 'shadow'];

/** The newest file of the newest version that serves is not too old; of several models each. */
function versionJudge(slo: Slo, maxAgeMs: number, { versions, writtenMs, wallMs }: MinuteSources): JudgeMinute {
  return () => {
    const newest = new Map<string, number>();
    for (const { id } of versions()) {
      const written = covers(slo, id) ? writtenMs(id) : undefined;
      if (written !== undefined) newest.set(id.model, Math.max(newest.get(id.model) ?? 0, written));
    }
    if (newest.size === 0) return QUIET;
    const oldestMs = Math.min(...newest.values());
    return { good: wallMs() - oldestMs <= maxAgeMs };
  };
}

/** Somebody got an answer not too long ago, or the process is not older than that. */
function answerJudge(slo: Slo, maxAgeMs: number, { versions, wallMs }: MinuteSources): JudgeMinute {
  let lastMs = wallMs();
  return () => {
    for (const { id, executions } of versions()) if (covers(slo, id)) lastMs = Math.max(lastMs, executions.lastMs);
    return { good: wallMs() - lastMs <= maxAgeMs };
  };
}
