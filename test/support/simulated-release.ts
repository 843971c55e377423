import type { ModelRelease, SettledFact } from '../../src/core/index.js';
import {
  type ArmState,
  type GateOutcome,
  type LoggedEntry,
  type PlanVersions,
  RolloutEngine,
  type RolloutNotice,
  type RolloutPlan,
  versionsOf,
} from '../../src/delivery/index.js';
import { FakeClock } from './fake-clock.js';
import { MemoryReleaseStore } from './memory-release-store.js';
import { seeded } from './seeded-random.js';
import { SilentLog } from './silent-log.js';

/** How a version answers. */
export interface Behaviour {
  readonly errors?: number;
  readonly meanMs?: number;
  readonly notFinite?: number;
  /** Share of copies whose answer agrees with the baseline's. */
  readonly agreement?: number;
}

export interface SimulatedTraffic {
  readonly perSecond: number;
  readonly seed: number;
  /** Requests of an execution. */
  readonly batch: number;
  readonly versions: Readonly<Record<number, Behaviour>>;
}

/** A model under a rollout engine, a fake clock and simulated traffic that does what the release in force says. */
export class SimulatedRelease {
  readonly clock = new FakeClock();
  readonly log = new SilentLog();
  readonly notices: RolloutNotice[] = [];
  readonly states = new Map<number, ArmState>();
  /** Releases in the order they came into force, and requests answered by each version since the last one. */
  readonly inForce: { readonly release: ModelRelease | undefined; readonly served: Map<number, number> }[] = [];
  readonly store: MemoryReleaseStore;
  engine: RolloutEngine;
  /** Whether the model has a plan that starts by itself. */
  pinned = true;
  readonly #traffic: SimulatedTraffic;
  readonly #random: () => number;
  gate: (check: PlanVersions) => Promise<GateOutcome> = async () => ({ passed: true, why: 'no gates' });
  #execution = 0;
  #process = { alive: true };

  constructor(traffic: SimulatedTraffic, store = new MemoryReleaseStore()) {
    this.store = store;
    this.#traffic = traffic;
    this.#random = seeded(traffic.seed);
    for (const version of Object.keys(traffic.versions)) this.states.set(Number(version), 'ready');
    this.engine = this.#engine();
    this.#published();
  }

  /** As if the process had ended, without a word, and begun again. */
  restart(): void {
    this.#process.alive = false;
    this.#process = { alive: true };
    this.engine = this.#engine();
    this.engine.restore();
    this.#published();
  }

  start(plan: RolloutPlan) {
    const found = versionsOf(
      plan,
      this.#ready(),
      this.engine.release(plan.model)?.defaultVersion ?? this.#ready().at(-1),
    );
    if ('message' in found) throw new Error(found.message);
    return this.engine.begin(plan, found, 'ann');
  }

  /** Traffic for so long, or until the rollout ended. */
  async run(seconds: number, id = 'm'): Promise<void> {
    const stepMs = 50;
    for (let ms = 0; ms < seconds * 1000; ms += stepMs) {
      this.#requests((this.#traffic.perSecond * stepMs) / 1000);
      this.clock.advance(stepMs * 1e6);
      await Promise.resolve();
      const { state } = this.engine.status(id);
      if (state === 'promoted' || state === 'rolled-back') return;
    }
  }

  entries(id: string): LoggedEntry[] {
    return this.store.decisions(id).map(({ atMs, body }) => ({ atMs, entry: JSON.parse(body) }));
  }

  #engine(): RolloutEngine {
    const [{ clock }, process] = [this, this.#process];
    return new RolloutEngine({
      clock: {
        nowNs: () => clock.nowNs(),
        wallMs: () => clock.wallMs(),
        setTimer: (atNs, fire) => clock.setTimer(atNs, () => process.alive && fire()),
      },
      log: this.log,
      store: this.store,
      traffic: { changed: () => this.#published() },
      versions: {
        state: (_, version) => this.states.get(version) ?? 'gone',
        needsPin: (_, version) => this.pinned || this.#ready().at(-1) !== version,
      },
      gate: { check: (checked) => this.gate(checked) },
      notices: { tell: (notice) => this.notices.push(notice) },
      labels: undefined,
    });
  }

  #ready(): number[] {
    return [...this.states].filter(([, state]) => state === 'ready').map(([version]) => version);
  }

  #published(): void {
    this.inForce.push({ release: this.engine.release('m'), served: new Map() });
  }

  #requests(mean: number): void {
    const { batch } = this.#traffic;
    const executions = Math.floor(mean / batch + this.#random());
    for (let i = 0; i < executions; i++) {
      const { release, served } = this.inForce.at(-1)!;
      const split = release?.split;
      const arms = new Map<number, number>();
      for (let j = 0; j < batch; j++) {
        const canary = split !== undefined && this.#random() * 10_000 < split.canaryBuckets;
        const version = canary ? split.candidate : (release?.defaultVersion ?? this.#ready().at(-1)!);
        arms.set(version, (arms.get(version) ?? 0) + 1);
        if (split !== undefined && !canary && this.#random() * 10_000 < split.shadowBuckets)
          this.#copied(split.number, split.candidate);
      }
      for (const [version, requests] of arms) {
        served.set(version, (served.get(version) ?? 0) + requests);
        if (split !== undefined) this.#executed(split.number, version, requests);
      }
    }
  }

  /** Requests of an execution share their time; each may fail. */
  #executed(split: number, version: number, requests: number): void {
    const { errors = 0, meanMs = 5, notFinite = 0 } = this.#traffic.versions[version] ?? {};
    const execution = ++this.#execution;
    const totalNs = -Math.log(1 - this.#random()) * meanMs * 1e6 + 1e6;
    for (let i = 0; i < requests; i++) {
      const failed = this.#random() < errors;
      const fact: SettledFact = {
        kind: 'settled',
        model: 'm',
        version,
        split,
        requestId: '',
        reason: failed ? 'BACKEND_FAILED' : undefined,
        totalNs,
        execution,
        deviceNs: totalNs / requests,
        output: failed ? undefined : { topIndex: i % 10, topValue: 1, finite: this.#random() >= notFinite },
      };
      this.engine.note(fact);
    }
  }

  #copied(split: number, candidate: number): void {
    const { agreement = 1 } = this.#traffic.versions[candidate] ?? {};
    const agrees = this.#random() < agreement;
    this.engine.note({
      kind: 'compared',
      model: 'm',
      version: candidate,
      split,
      requestId: '',
      baselineNs: 1,
      candidateNs: 1,
      candidateDeviceNs: 1,
      comparison: {
        agrees,
        topAgrees: agrees,
        maxAbsoluteError: 0,
        maxRelativeError: 0,
        rankCorrelation: undefined,
        totalVariation: undefined,
      },
      reason: undefined,
    });
  }
}
