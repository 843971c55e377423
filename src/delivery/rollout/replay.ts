import type { RolloutState } from '../../core/index.js';
import { Course } from './course.js';
import { type Decision, decide } from './decide.js';
import type { LogEntry, LoggedEntry } from './log-entry.js';
import type { FreshVerdict } from './renewed-guards.js';
import { defaultAfter, divisionAfter, sameDivision } from './split-of.js';

/** What came of a log that was decided anew. */
export interface Replay {
  readonly state: RolloutState;
  readonly observations: number;
  readonly verdicts: number;
  readonly moves: number;
  /** Where the log and the replay differ, in words; empty: they agree in every verdict and every move. */
  readonly differences: readonly string[];
}

/** Evidence is compared to this relative difference: another processor may round logarithms another way. */
const TOLERANCE = 1e-9;
const MOST_DIFFERENCES = 20;

/**
 * Decides a rollout anew from what its log says was seen and asked, and compares every verdict, move and split with what the
 * log says was decided. Throws where the text is no log of a rollout.
 */
export function replay(entries: readonly LoggedEntry[]): Replay {
  const [first, ...others] = entries;
  if (first?.entry.kind !== 'started') throw new Error('a log of a rollout begins with its start');
  const course = new Course(first.atMs, first.entry);
  const differences: string[] = [];
  const differ = (line: number, what: string) => {
    if (differences.length < MOST_DIFFERENCES) differences.push(`line ${line + 2}: ${what}`);
  };
  const counts = { observed: 0, verdict: 0, moved: 0 };
  let due: FreshVerdict[] = [];
  others.forEach(({ atMs, entry }, i) => {
    if (entry.kind in counts) counts[entry.kind as keyof typeof counts]++;
    if (entry.kind === 'verdict') {
      const fault = verdictFault(due.shift(), entry);
      if (fault !== undefined) differ(i, fault);
      return;
    }
    for (const { evidence } of due)
      differ(i, `guard '${evidence.name}' came to ${evidence.verdict}, the log has no such verdict`);
    if (entry.kind === 'moved') {
      const fault = moveFault(course, entry, atMs);
      if (fault !== undefined) differ(i, fault);
    }
    due = [...course.apply(atMs, entry)];
    const next = others[i + 1];
    if (due.length > 0 || next?.atMs === atMs || next === undefined) return;
    const decision = decide(course.plan, course.standing, course.findings(), atMs);
    if (decision.kind === 'move') differ(i, `${moveText(decision)} was due, the log goes on without it`);
  });
  return {
    state: course.standing.state,
    observations: counts.observed,
    verdicts: counts.verdict,
    moves: counts.moved,
    differences,
  };
}

function verdictFault(
  due: FreshVerdict | undefined,
  { stage, evidence }: Extract<LogEntry, { kind: 'verdict' }>,
): string | undefined {
  const logged = `guard '${evidence.name}' came to ${evidence.verdict} in stage ${stage}`;
  if (due === undefined) return `${logged} by the log, to none by the replay`;
  const { evidence: again } = due;
  if (again.name !== evidence.name || again.verdict !== evidence.verdict || due.stage !== stage)
    return `${logged} by the log, '${again.name}' to ${again.verdict} in stage ${due.stage} by the replay`;
  if (!near(again.logHarm, evidence.logHarm))
    return `guard '${evidence.name}' has log evidence ${evidence.logHarm} by the log, ${again.logHarm} by the replay`;
  return undefined;
}

function near(a: number, b: number | null): boolean {
  // JSON has no infinities: what is null was one.
  if (b === null || !Number.isFinite(a)) return b === null || a === b;
  return Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b));
}

function moveFault(course: Course, entry: Extract<LogEntry, { kind: 'moved' }>, atMs: number): string | undefined {
  const decision = decide(course.plan, course.standing, course.findings(), atMs);
  const { to, step, code, split, defaultVersion } = entry;
  const logged = moveText(entry);
  if (decision.kind === 'stay')
    return `${logged} by the log; the replay stays ${course.standing.state}, waiting for ${decision.waitingFor.join(', ')}`;
  if (decision.to !== to || decision.step !== step || decision.code !== code)
    return `${logged} by the log, ${moveText(decision)} by the replay`;
  if (!sameDivision(split, divisionAfter(course.plan, to, step, course.split)))
    return `${logged}: the log divides requests another way than the plan`;
  if (defaultVersion !== defaultAfter(to, course)) return `${logged}: the log has another default version`;
  return undefined;
}

function moveText({ to, step, code }: Pick<Extract<Decision, { kind: 'move' }>, 'to' | 'step' | 'code'>): string {
  return `a move to ${to} in step ${step + 1} (${code})`;
}
