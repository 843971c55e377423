import { BUCKETS } from '../../core/index.js';
import type { GuardEvidence } from '../guard.js';
import { Course } from './course.js';
import type { LoggedEntry } from './log-entry.js';

/** Where the guards of a rollout stood at one time. */
export interface TracePoint {
  readonly atMs: number;
  /** The candidate's share of the requests, 0 to 1. */
  readonly share: number;
  readonly guards: readonly GuardEvidence[];
}

/**
 * How the evidence of a rollout went, folded from its log: at most about `most` points, evenly over its observations, and one
 * at every verdict and move.
 */
export function traceOf(entries: readonly LoggedEntry[], most: number): TracePoint[] {
  const [first, ...others] = entries;
  if (first?.entry.kind !== 'started') throw new Error('a log of a rollout begins with its start');
  const course = new Course(first.atMs, first.entry);
  const observations = others.reduce((sum, { entry }) => sum + (entry.kind === 'observed' ? 1 : 0), 0);
  const every = Math.max(1, Math.ceil(observations / most));
  const points: TracePoint[] = [];
  let seen = 0;
  for (const { atMs, entry } of others) {
    const fresh = course.apply(atMs, entry);
    if (entry.kind === 'observed') seen++;
    const due = entry.kind === 'observed' ? seen % every === 0 || fresh.length > 0 : entry.kind === 'moved';
    if (!due || !course.calibrated) continue;
    points.push({ atMs, share: (course.split?.canaryBuckets ?? 0) / BUCKETS, guards: course.evidence() });
  }
  return points;
}
