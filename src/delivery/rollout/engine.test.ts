import { describe, expect, it } from 'vitest';
import { rolloutPlan } from '../../../test/support/rollout-plans.js';
import { type Behaviour, SimulatedRelease } from '../../../test/support/simulated-release.js';
import { replay } from '../index.js';

const GUARDS = [
  { metric: 'error-rate', name: 'errors', weight: 1, minObservations: 100, maxRatio: 2, maxDifference: 0.01 },
  {
    metric: 'latency',
    name: 'slow',
    weight: 1,
    minObservations: 100,
    quantile: 0.9,
    maxRatio: 1.5,
    maxDifference: 0.05,
  },
] as const;
const PLAN = rolloutPlan({ guards: GUARDS });

const release = (candidate: Behaviour, seed = 1) =>
  new SimulatedRelease({ perSecond: 400, seed, batch: 4, versions: { 3: { errors: 0.005 }, 4: candidate } });

const states = ({ notices }: SimulatedRelease) =>
  notices.map(({ to, step }) => `${to}${to === 'progressing' ? step : ''}`);

describe('a rollout under a fake clock', () => {
  it('promotes a candidate as good as the baseline, step by step, and keeps each move before it is in force', async () => {
    const sim = release({ errors: 0.005 });
    const kept: (number | undefined)[] = [];
    sim.store.onCommit = ({ release: change }) => {
      if (change !== undefined) kept.push(change.release?.split?.canaryBuckets);
      // What is being kept is not in force yet.
      expect(sim.inForce.at(-1)?.release).not.toEqual(change?.release ?? 'none');
    };
    sim.start(PLAN);
    await sim.run(1800);
    expect(states(sim)).toEqual(['shadowing', 'progressing1', 'progressing2', 'promoting', 'promoted']);
    expect(kept).toEqual([0, 0, 1000, 5000, undefined]);
    expect(sim.inForce.map(({ release: one }) => one?.split?.canaryBuckets)).toEqual([undefined, ...kept]);
    expect(sim.inForce.at(-1)?.release).toEqual({ defaultVersion: 4, split: undefined });
    const { guards, totals } = sim.engine.status('m');
    expect(guards).toMatchObject([
      { name: 'errors', verdict: 'pass' },
      { name: 'slow', verdict: 'pass' },
    ]);
    expect(totals.candidate).toBeGreaterThan(200);
  });

  it.each<[string, Behaviour, string]>([
    ['fails more often', { errors: 0.05 }, 'guard-failed'],
    ['is slower', { errors: 0.005, meanMs: 15 }, 'guard-failed'],
    ['fails nearly always', { errors: 0.9 }, 'guard-failed'],
    ['answers with no numbers', { errors: 0.005, notFinite: 0.01 }, 'hard-limit'],
  ])('rolls back a candidate that %s, and gives it nothing from then on', async (_, candidate, code) => {
    const sim = release(candidate);
    sim.start(PLAN);
    await sim.run(1800);
    const back = sim.notices.find(({ to }) => to === 'rolling-back');
    expect(back).toMatchObject({ code });
    expect(sim.notices.at(-1)).toMatchObject({ to: 'rolled-back' });
    const { release: last, served } = sim.inForce.at(-1)!;
    expect(last).toEqual({ defaultVersion: 3, split: undefined });
    await sim.run(10);
    expect(served.get(4)).toBeUndefined();
  });

  it('comes to the same verdicts when its log is replayed, and says where a log was changed', async () => {
    for (const candidate of [{ errors: 0.005 }, { errors: 0.05 }]) {
      const sim = release(candidate);
      const { id } = sim.start(PLAN);
      await sim.run(1800);
      const entries = sim.entries(id);
      const again = replay(entries);
      expect(again).toMatchObject({ state: sim.engine.status(id).state, differences: [] });
      expect(again.observations).toBeGreaterThan(10);
      expect(again.verdicts).toBeGreaterThan(0);
      const changed = entries.map(({ atMs, entry }) =>
        entry.kind === 'observed' && entry.observation.candidate.requests > 0
          ? {
              atMs,
              entry: {
                ...entry,
                observation: {
                  ...entry.observation,
                  candidate: {
                    ...entry.observation.candidate,
                    errors: candidate.errors > 0.01 ? 0 : 9,
                    errorsTogether: [],
                  },
                },
              },
            }
          : { atMs, entry },
      );
      expect(replay(changed).differences).not.toEqual([]);
      const firstMove = entries.findIndex(({ entry }) => entry.kind === 'moved');
      expect(replay(entries.filter((_, i) => i !== firstMove).slice(0, firstMove + 1)).differences[0]).toContain(
        'was due',
      );
    }
  });

  it('goes on after the process ended at any moment, by its log, to the same guard states', async () => {
    const seconds = [1, 3, 9, 20, 31, 33, 40];
    const sim = release({ errors: 0.005 });
    const { id } = sim.start(PLAN);
    for (const more of seconds) {
      await sim.run(more);
      const before = sim.engine.status(id);
      const inForce = sim.inForce.at(-1)!.release;
      // Up to a second of observations is not kept; what is in force is.
      const kept = sim.entries(id);
      sim.restart();
      const after = sim.engine.status(id);
      expect(after).toMatchObject({ state: before.state, step: before.step, canaryPercent: before.canaryPercent });
      expect(sim.inForce.at(-1)!.release).toEqual(inForce);
      expect(replay(kept).differences).toEqual([]);
      expect(after.totals.baseline).toBeLessThanOrEqual(before.totals.baseline);
      expect(after.totals.baseline).toBeGreaterThanOrEqual(before.totals.baseline - 2 * 400);
    }
    await sim.run(1800);
    expect(sim.engine.status(id).state).toBe('promoted');
    expect(replay(sim.entries(id)).differences).toEqual([]);
  });

  it('makes no progress while it is paused, and is rolled back all the same', async () => {
    const sim = release({ errors: 0.06 });
    const { id } = sim.start({ ...PLAN, steps: PLAN.steps.slice(1) });
    await sim.run(3);
    sim.engine.ask(id, { kind: 'pause' }, 'ann');
    expect(sim.engine.status(id)).toMatchObject({
      state: 'paused',
      waitingFor: ['paused by ann (penstock rollout resume)'],
    });
    expect(() => sim.engine.ask(id, { kind: 'pause' }, 'ann')).toThrow('it is paused already');
    await sim.run(600);
    expect(sim.engine.status(id)).toMatchObject({ state: 'rolled-back' });
    expect(sim.notices.map(({ to }) => to)).toEqual(['progressing', 'paused', 'rolling-back', 'rolled-back']);
  });

  it('waits for an approval, of whom the plan names', async () => {
    const sim = release({ errors: 0.005 });
    const { id } = sim.start({ ...PLAN, steps: [PLAN.steps[1]!, { kind: 'approval', who: 'ann' }, PLAN.steps[2]!] });
    await sim.run(60);
    expect(sim.engine.status(id)).toMatchObject({ state: 'paused', canaryPercent: 10 });
    expect(() => sim.engine.ask(id, { kind: 'approve' }, 'bob')).toThrow('ann has to approve it, not bob');
    expect(() => sim.engine.ask(id, { kind: 'resume' }, 'ann')).toThrow('approve it');
    sim.engine.ask(id, { kind: 'approve' }, 'ann');
    expect(sim.engine.status(id)).toMatchObject({ state: 'progressing', canaryPercent: 50 });
  });

  it('is given up by an operator, or promoted where all is proven, or by force', async () => {
    const abort = release({ errors: 0.005 });
    abort.start(PLAN);
    await abort.run(2);
    abort.engine.ask('m', { kind: 'abort' }, 'bob');
    expect(abort.notices.at(-1)).toMatchObject({ to: 'rolling-back', why: 'aborted by bob' });

    const force = release({ errors: 0.005 });
    force.start({ ...PLAN, steps: PLAN.steps.slice(1) });
    await force.run(4);
    expect(() => force.engine.ask('m', { kind: 'promote', force: false }, 'bob')).toThrow(
      'not proven yet: errors, slow',
    );
    force.engine.ask('m', { kind: 'promote', force: true }, 'bob');
    expect(force.inForce.at(-1)?.release).toEqual({ defaultVersion: 4, split: undefined });
    await force.run(1);
    expect(force.engine.status('m').state).toBe('promoted');
    expect(() => force.engine.ask('m', { kind: 'abort' }, 'bob')).toThrow('it has ended: promoted');
  });

  it('is rolled back when the candidate goes, and paused while the baseline is away', async () => {
    const sim = release({ errors: 0.005 });
    sim.start({ ...PLAN, steps: PLAN.steps.slice(1) });
    await sim.run(3);
    sim.states.set(3, 'loading');
    await sim.run(1);
    expect(sim.engine.status('m').waitingFor).toContain('the baseline is not ready');
    sim.states.set(3, 'impaired');
    await sim.run(1);
    expect(sim.engine.status('m')).toMatchObject({ state: 'paused', why: 'the baseline is not ready' });
    sim.states.set(3, 'ready');
    await sim.run(1);
    expect(sim.engine.status('m')).toMatchObject({ state: 'progressing' });
    sim.engine.reloaded('m', 4);
    expect(sim.engine.status('m')).toMatchObject({ state: 'paused' });
    sim.engine.ask('m', { kind: 'resume' }, 'ann');
    sim.states.delete(4);
    await sim.run(1);
    expect(sim.notices.find(({ to }) => to === 'rolling-back')).toMatchObject({ code: 'candidate-gone' });
  });

  it('begins nothing before its gates have passed, and nothing at all where they refuse', async () => {
    const sim = release({ errors: 0.005 });
    let answer: (outcome: { passed: boolean; why: string }) => void = () => {};
    sim.gate = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    sim.start(PLAN);
    await sim.run(30);
    expect(sim.engine.status('m')).toMatchObject({ state: 'stable', waitingFor: ['the gates before traffic'] });
    answer({ passed: false, why: 'golden set: accuracy 0.7, expected 0.9' });
    await sim.run(2);
    expect(sim.engine.status('m')).toMatchObject({ state: 'rolled-back' });
    expect(new Set(sim.inForce.flatMap(({ served }) => [...served.keys()]))).toEqual(new Set([3]));
  });

  it('refuses a second rollout of a model, and goes on with the first', async () => {
    const sim = release({ errors: 0.005 });
    const { id } = sim.start(PLAN);
    expect(() => sim.start(PLAN)).toThrow(`model 'm' has a rollout that has not ended: ${id} (stable)`);
    await sim.run(2);
    expect(sim.engine.list()).toHaveLength(1);
    expect(() => sim.engine.status('n')).toThrow("no rollout 'n'");
  });

  it('rolls back also where the store cannot be written, keeps it once it can, and gives up what it could not keep', async () => {
    const sim = release({ errors: 0.06 });
    const { id } = sim.start({ ...PLAN, steps: PLAN.steps.slice(1) });
    await sim.run(3);
    sim.store.failing = true;
    await sim.run(30);
    expect(sim.inForce.at(-1)?.release).toEqual({ defaultVersion: 3, split: undefined });
    expect(sim.store.rollouts()).toMatchObject([{ state: 'progressing' }]);
    sim.store.failing = false;
    sim.clock.advance(2e9);
    expect(sim.store.rollouts()).toMatchObject([{ state: 'rolled-back' }]);
    expect(replay(sim.entries(id)).differences).toEqual([]);

    const good = release({ errors: 0.005 });
    good.start({ ...PLAN, steps: PLAN.steps.slice(1) });
    await good.run(4);
    good.store.failing = true;
    await good.run(90);
    expect(good.inForce.at(-1)?.release).toEqual({ defaultVersion: 3, split: undefined });
    good.store.failing = false;
    good.clock.advance(2e9);
    expect(good.engine.status('m').why).toBe('the baseline answers all');
    expect(good.notices.find(({ to }) => to === 'rolling-back')?.why).toContain('cannot keep decisions');
  });

  it('goes on with copies for diagnosis after a rollback', async () => {
    const sim = release({ errors: 0.9 });
    sim.start({ ...PLAN, steps: PLAN.steps.slice(1), keepShadowing: { percent: 5, seconds: 20 } });
    await sim.run(15);
    expect(sim.engine.status('m')).toMatchObject({ state: 'rolling-back', canaryPercent: 0, shadowPercent: 5 });
    const { compared } = sim.engine.status('m').totals;
    await sim.run(30);
    expect(sim.engine.status('m')).toMatchObject({ state: 'rolled-back', shadowPercent: 0 });
    expect(sim.engine.status('m').totals.compared).toBeGreaterThan(compared);
  });

  it('leaves no timer behind once nothing runs', async () => {
    const sim = release({ errors: 0.9 });
    sim.start(PLAN);
    await sim.run(1800);
    sim.clock.advance(2e9);
    expect(sim.clock.timers).toBe(0);
  });
});
