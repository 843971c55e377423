import type { DecisionEntry, ModelRelease, ReleaseFact, RolloutCommand, RolloutStatus } from '../../core/index.js';
import { rolloutEnded } from '../../core/index.js';
import { Collector } from './collector.js';
import { Course } from './course.js';
import { type Decision, decide } from './decide.js';
import type { LogEntry } from './log-entry.js';
import type { RolloutNotice, RolloutPorts } from './ports.js';
import { defaultAfter, divisionAfter, sameDivision, splitWith } from './split-of.js';
import type { ArmState } from './standing.js';

/** Where a run puts what has to last, and learns what is in force. */
export interface RunBooks {
  /**
   * Keeps all of it and then puts the release in force; false: it could not be kept, and nothing changed. With `anyway` the
   * release is put in force all the same.
   */
  write(written: WrittenRun, anyway: boolean): boolean;
}

export interface WrittenRun {
  readonly status: RolloutStatus;
  readonly decisions: readonly DecisionEntry[];
  readonly release: ModelRelease | undefined;
}

/** Observations are kept once in so many milliseconds at the latest, with every move at once. */
const KEEP_WITHIN_MS = 1000;
/** A rollout whose decisions cannot be kept for so long is rolled back. */
const MOST_UNKEPT_MS = 60_000;
/** A stretch of observation is a thousandth of the step's age within these: a bad candidate goes at once, and logs stay short. */
const SHORTEST_STRETCH_MS = 250;
const LONGEST_STRETCH_MS = 5000;

/** One rollout that has not ended: collects facts, decides at every turn, keeps what it saw and did. */
export class RolloutRun {
  readonly course: Course;
  readonly #ports: RolloutPorts;
  readonly #books: RunBooks;
  readonly #collector: Collector;
  #unkept: DecisionEntry[] = [];
  #unkeptSinceMs = Number.POSITIVE_INFINITY;
  #failing = false;
  #notices: RolloutNotice[] = [];
  #moves = 0;
  #cutMs: number;
  #nowMs: number;
  #waitingFor: readonly string[] = [];
  #gateAsked = false;
  readonly #labelled: boolean;

  /** `entries`: its log so far, the `started` one first; those of a run that begins are not kept yet. */
  constructor(
    ports: RolloutPorts,
    books: RunBooks,
    entries: readonly { readonly atMs: number; readonly entry: LogEntry }[],
  ) {
    this.#ports = ports;
    this.#books = books;
    const [first, ...others] = entries;
    if (first?.entry.kind !== 'started') throw new Error('a log of a rollout begins with its start');
    this.course = new Course(first.atMs, first.entry);
    const { plan, baseline, candidate } = this.course;
    this.#labelled = plan.guards.some(({ metric }) => metric === 'quality' || metric === 'kpi');
    this.#collector = new Collector({
      baseline,
      candidate,
      calibrationExecutions: plan.calibration.executions,
      coldStartExecutions: plan.coldStartExecutions,
      labels: ports.labels,
      nowNs: () => ports.clock.nowNs(),
    });
    this.#collector.split(first.entry.split);
    this.#nowMs = first.atMs;
    for (const { atMs, entry } of others) this.#apply(atMs, entry);
    this.#cutMs = this.#nowMs;
  }

  get ended(): boolean {
    return rolloutEnded(this.course.standing.state) && this.#unkept.length === 0;
  }

  /** Has not ended, and a guard of it looks at labels. */
  get wantsLabels(): boolean {
    return this.#labelled && !rolloutEnded(this.course.standing.state);
  }

  note(fact: ReleaseFact): void {
    this.#collector.note(fact);
  }

  /** The first turn of a new rollout; false where its beginning could not be kept, and nothing came of it. */
  begin(started: LogEntry): boolean {
    this.#unkept.push(this.#line(started));
    if (!this.#write(false)) return false;
    this.turn();
    return true;
  }

  /** A version was loaded anew. */
  reloaded(version: number): void {
    const { candidate, baseline } = this.course;
    if (version !== candidate && version !== baseline) return;
    this.#tellTime();
    this.#collector.reloaded(version === candidate ? 'candidate' : 'baseline');
    this.#enter({ kind: 'arms', ...this.#arms(), reloaded: version === candidate });
    this.#advance();
  }

  /** What an operator asks, which was found to be possible. */
  ask(command: RolloutCommand, by: string): void {
    this.#tellTime();
    this.#enter({ kind: 'asked', command, by });
    this.#advance();
  }

  /** Looks at what was seen since the last turn, and moves as far as it goes. */
  turn(): void {
    this.#tellTime();
    this.#advance();
  }

  /** The last turn of a process: keeps all that was seen. */
  close(): void {
    this.turn();
    if (this.#unkept.length > 0) this.#keep();
  }

  /** Of all that one turn enters: a replay takes entries of one time together. */
  #tellTime(): void {
    this.#nowMs = Math.max(this.#nowMs, this.#ports.clock.wallMs());
  }

  #advance(): void {
    this.#lookAtArms();
    this.#askGate();
    this.#observe();
    const moved = this.#decide();
    if (moved || this.#nowMs - this.#unkeptSinceMs >= KEEP_WITHIN_MS) this.#keep();
  }

  status(): RolloutStatus {
    const { id, plan, candidate, baseline, standing, split, totals, startedMs, why } = this.course;
    return {
      id,
      model: plan.model,
      candidate,
      baseline,
      state: standing.state,
      step: standing.step,
      steps: plan.steps.length,
      why,
      startedMs,
      updatedMs: this.#nowMs,
      defaultVersion: this.course.defaultVersion,
      canaryPercent: (split?.canaryBuckets ?? 0) / 100,
      shadowPercent: (split?.shadowBuckets ?? 0) / 100,
      waitingFor: this.#waitingFor,
      totals: { ...totals },
      guards: this.course.evidence(),
      plan,
    };
  }

  #lookAtArms(): void {
    const now = this.#arms();
    const { arms } = this.course.findings();
    if (now.candidate === arms.candidate && now.baseline === arms.baseline) return;
    this.#enter({ kind: 'arms', ...now, reloaded: false });
  }

  #arms(): { candidate: ArmState; baseline: ArmState } {
    const { plan, candidate, baseline } = this.course;
    const state = (version: number) => this.#ports.versions.state(plan.model, version);
    return { candidate: state(candidate), baseline: state(baseline) };
  }

  #askGate(): void {
    const { gates, arms } = this.course.findings();
    if (this.#gateAsked || gates !== undefined || arms.candidate !== 'ready') return;
    this.#gateAsked = true;
    const { plan, candidate, baseline } = this.course;
    // Never rejects; the answer is a fact as any other.
    void this.#ports.gate.check({ model: plan.model, candidate, baseline, plan }).then((outcome) => {
      if (rolloutEnded(this.course.standing.state)) return;
      this.#tellTime();
      this.#enter({ kind: 'gates', ...outcome });
      this.#advance();
    });
  }

  #observe(): void {
    const ageMs = this.#nowMs - this.course.standing.stepSinceMs;
    const stretchMs = Math.min(LONGEST_STRETCH_MS, Math.max(SHORTEST_STRETCH_MS, ageMs / 1000));
    if (this.#nowMs - this.#cutMs < stretchMs || rolloutEnded(this.course.standing.state)) return;
    this.#cutMs = this.#nowMs;
    if (!this.course.calibrated) {
      this.#collector.cut(this.#nowMs);
      const calibration = this.#collector.calibration();
      if (calibration !== undefined) this.#enter({ kind: 'calibrated', calibration });
      return;
    }
    for (const observation of this.#collector.cut(this.#nowMs)) {
      for (const fresh of this.#enter({ kind: 'observed', observation })) this.#enter({ kind: 'verdict', ...fresh });
    }
  }

  #decide(): boolean {
    let moved = false;
    for (;;) {
      const { plan, standing } = this.course;
      const decision = decide(plan, standing, this.course.findings(), this.#nowMs);
      if (decision.kind === 'stay') {
        this.#waitingFor = rolloutEnded(standing.state) ? [] : decision.waitingFor;
        return moved;
      }
      this.#move(decision);
      moved = true;
    }
  }

  #move({ to, step, code, why }: Extract<Decision, { kind: 'move' }>): void {
    const { plan, split: before, standing } = this.course;
    const division = divisionAfter(plan, to, step, before);
    const split =
      division === undefined || (before !== undefined && sameDivision(before, division))
        ? division && before
        : splitWith(this.#ports.store.nextSplitNumber(), division, this.course);
    const guards = this.course.evidence();
    const from = standing.state;
    const defaultVersion = defaultAfter(to, this.course);
    this.#enter({ kind: 'moved', from, to, step, code, why, split, defaultVersion, guards });
    const { id, candidate, baseline } = this.course;
    const { model } = plan;
    const atMs = this.#nowMs;
    const notice = { id, model, candidate, baseline, atMs, number: this.#moves, from, to, step, code, why, guards };
    this.#notices.push(notice);
  }

  #enter(entry: LogEntry): ReturnType<Course['apply']> {
    this.#unkept.push(this.#line(entry));
    this.#unkeptSinceMs = Math.min(this.#unkeptSinceMs, this.#nowMs);
    return this.#apply(this.#nowMs, entry);
  }

  #line(entry: LogEntry): DecisionEntry {
    return { rollout: this.course.id, atMs: this.#nowMs, kind: entry.kind, body: JSON.stringify(entry) };
  }

  #apply(atMs: number, entry: LogEntry): ReturnType<Course['apply']> {
    this.#nowMs = Math.max(this.#nowMs, atMs);
    if (entry.kind === 'calibrated') this.#collector.calibrate(entry.calibration);
    else if (entry.kind === 'moved') {
      this.#moves++;
      if (entry.split !== undefined) this.#collector.split(entry.split);
    }
    return this.course.apply(atMs, entry);
  }

  /** Keeps what is not kept; tells of the moves once they are. */
  #keep(): void {
    const { state } = this.course.standing;
    // A store that cannot be written must not hold up the way back.
    const back = state === 'rolling-back' || state === 'rolled-back';
    if (this.#write(back)) return;
    if (!back && !rolloutEnded(state) && this.#nowMs - this.#unkeptSinceMs >= MOST_UNKEPT_MS)
      this.ask({ kind: 'abort' }, 'the gateway, which cannot keep decisions');
  }

  #write(anyway: boolean): boolean {
    const written = { status: this.status(), decisions: this.#unkept, release: this.#release() };
    const kept = this.#books.write(written, anyway);
    if (kept) {
      this.#unkept = [];
      this.#unkeptSinceMs = Number.POSITIVE_INFINITY;
    }
    if (kept !== !this.#failing) {
      this.#failing = !kept;
      if (!kept) this.#ports.log.error('decisions of a rollout cannot be kept', { rollout: this.course.id });
    }
    if (kept || anyway) this.#tell();
    return kept;
  }

  /** What stands over the routes now; undefined: nothing has to any more. */
  #release(): ModelRelease | undefined {
    const { standing, split, defaultVersion, plan } = this.course;
    if (standing.state === 'promoted' && !this.#ports.versions.needsPin(plan.model, defaultVersion)) return undefined;
    return { defaultVersion, split };
  }

  #tell(): void {
    const { log, notices } = this.#ports;
    for (const notice of this.#notices) {
      const { id, model, candidate, baseline, from, to, step, code, why } = notice;
      const fields = { rollout: id, model, candidate, baseline, from, to, step, code, why };
      if (to === 'rolling-back') log.warn('rollout moved', fields);
      else log.info('rollout moved', fields);
      notices.tell(notice, this.course.plan.notify);
    }
    this.#notices = [];
  }
}
