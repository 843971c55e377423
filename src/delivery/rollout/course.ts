import { type ReleaseSplit, ROLLOUT_MOVES, type RolloutCommand, type RolloutState } from '../../core/index.js';
import type { GuardEvidence } from '../guard.js';
import { SampleRatioGuard } from '../guards/sample-ratio-guard.js';
import { HardLimits } from '../hard-limits.js';
import type { Observation } from '../observation.js';
import type { LogEntry } from './log-entry.js';
import { isWhole, type RolloutPlan } from './plan.js';
import { type FreshVerdict, RenewedGuards } from './renewed-guards.js';
import type { Findings, Standing, Wishes } from './standing.js';

type Started = Extract<LogEntry, { kind: 'started' }>;
type Moved = Extract<LogEntry, { kind: 'moved' }>;

/**
 * A rollout as the fold over its log: `apply` takes the entries in their order, and all that is known follows from them. The
 * same class runs live, continues after a restart and replays a log, so that the three cannot differ.
 */
export class Course {
  readonly id: string;
  readonly plan: RolloutPlan;
  readonly candidate: number;
  readonly baseline: number;
  readonly startedMs: number;
  #standing: Standing;
  #split: ReleaseSplit | undefined;
  #defaultVersion: number;
  #arms: Findings['arms'] = { candidate: 'loading', baseline: 'loading' };
  #reloaded = false;
  #gates: Findings['gates'];
  #guards: RenewedGuards | undefined;
  /** Undefined where a key keeps callers on their side: a busy one would be taken for a fault. */
  #sampleRatio: SampleRatioGuard | undefined;
  readonly #hardLimits: HardLimits;
  #compared = 0;
  #requests = 0;
  #totals = { baseline: 0, candidate: 0, compared: 0 };
  #why = '';

  constructor(atMs: number, { id, plan, candidate, baseline, split }: Started) {
    this.id = id;
    this.plan = plan;
    this.candidate = candidate;
    this.baseline = baseline;
    this.startedMs = atMs;
    this.#split = split;
    this.#defaultVersion = baseline;
    this.#sampleRatio = sampleRatioOf(plan);
    this.#hardLimits = new HardLimits(plan.hardLimits);
    this.#standing = {
      state: 'stable',
      step: 0,
      stepSinceMs: atMs,
      sinceMs: atMs,
      stepLimitFromMs: atMs,
      totalLimitFromMs: atMs,
      pause: undefined,
      wishes: {},
    };
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** In force; undefined: requests are not divided. */
  get split(): ReleaseSplit | undefined {
    return this.#split;
  }

  get defaultVersion(): number {
    return this.#defaultVersion;
  }

  /** Why it stands where it stands. */
  get why(): string {
    return this.#why;
  }

  /** Requests of each arm and compared copies since the calibration. */
  get totals(): { readonly baseline: number; readonly candidate: number; readonly compared: number } {
    return this.#totals;
  }

  get calibrated(): boolean {
    return this.#guards !== undefined;
  }

  evidence(): readonly GuardEvidence[] {
    return this.#guards?.evidence() ?? [];
  }

  findings(): Findings {
    return {
      arms: this.#arms,
      reloaded: this.#reloaded,
      gates: this.#gates,
      calibrated: this.#guards !== undefined,
      guards: this.#guards?.findings() ?? this.plan.guards.map(unseen),
      hardLimit: this.#hardLimits.tripped,
      sampleRatio: this.#sampleRatio?.broken,
      compared: this.#compared,
      requests: this.#requests,
    };
  }

  /** Takes the next entry; gives the verdicts that follow from it. */
  apply(atMs: number, entry: LogEntry): readonly FreshVerdict[] {
    switch (entry.kind) {
      case 'observed':
        return this.#observe(entry.observation);
      case 'moved':
        this.#move(atMs, entry);
        break;
      case 'asked':
        this.#ask(entry.command, entry.by);
        break;
      case 'arms':
        this.#arms = { candidate: entry.candidate, baseline: entry.baseline };
        this.#reloaded ||= entry.reloaded;
        break;
      case 'gates':
        this.#gates = { passed: entry.passed, why: entry.why };
        break;
      case 'calibrated':
        this.#guards = new RenewedGuards(this.plan, entry.calibration);
        break;
      case 'verdict':
      case 'started':
        break;
    }
    return [];
  }

  #observe(seen: Observation): readonly FreshVerdict[] {
    const compared = seen.shadow.compared + seen.shadow.failed;
    this.#compared += compared;
    this.#totals.compared += compared;
    this.#totals.baseline += seen.baseline.requests;
    this.#totals.candidate += seen.candidate.requests;
    if (this.#split?.number === seen.split) this.#requests += seen.candidate.requests;
    this.#hardLimits.observe(seen);
    this.#sampleRatio?.observe(seen);
    return this.#guards?.observe(seen) ?? [];
  }

  #move(atMs: number, { from, to, step, code, why, split, defaultVersion }: Moved): void {
    const before = this.#standing;
    if (before.state !== from) throw new Error(`a move from ${from} was logged while ${before.state}`);
    if (from !== to && !(ROLLOUT_MOVES[from] as readonly RolloutState[]).includes(to))
      throw new Error(`no move from ${from} to ${to} (${why})`);
    const begins = from === 'stable' && (to === 'shadowing' || to === 'progressing');
    const next = step !== before.step || begins;
    const byHand = code === 'resumed';
    this.#standing = {
      state: to,
      step,
      stepSinceMs: next ? atMs : before.stepSinceMs,
      sinceMs: atMs,
      stepLimitFromMs: next || byHand ? atMs : before.stepLimitFromMs,
      totalLimitFromMs: byHand ? atMs : before.totalLimitFromMs,
      pause: to === 'paused' ? { code, why, from } : undefined,
      wishes: {},
    };
    this.#split = split;
    this.#defaultVersion = defaultVersion;
    this.#why = why;
    if (byHand) {
      this.#reloaded = false;
      if (before.pause?.code === 'sample-ratio') this.#sampleRatio = sampleRatioOf(this.plan);
    }
    if (next) this.#begin(step);
  }

  #begin(step: number): void {
    this.#compared = 0;
    this.#requests = 0;
    const begun = this.plan.steps[step];
    const first = this.plan.steps.findIndex(({ kind }) => kind !== 'approval') === step;
    if (begun === undefined || begun.kind === 'approval' || isWhole(begun) || first) return;
    this.#guards?.renew();
  }

  #ask(command: RolloutCommand, by: string): void {
    const wish: Wishes =
      command.kind === 'promote' ? { promote: { by, force: command.force } } : { [command.kind]: { by } };
    this.#standing = { ...this.#standing, wishes: { ...this.#standing.wishes, ...wish } };
  }
}

function unseen({ name }: { readonly name: string }): Findings['guards'][number] {
  return { name, verdict: 'inconclusive', passed: false, explanation: '' };
}

function sampleRatioOf({ key }: RolloutPlan): SampleRatioGuard | undefined {
  return key === undefined ? new SampleRatioGuard() : undefined;
}
