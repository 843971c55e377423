import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { echo, FakeExecutor } from '../../../test/support/fake-executor.js';
import { NOT_SLOW } from '../../../test/support/not-slow.js';
import { seeded } from '../../../test/support/seeded-random.js';
import { fp32, modelSpec, policy, request } from '../../../test/support/specs.js';
import { shadowBatcher } from '../../app/shadow-batcher.js';
import {
  type InferenceHandle,
  type InferenceRequest,
  type Lease,
  type ModelTraffic,
  type Reason,
  type ReleaseFact,
  type ReleaseSplit,
  ServingError,
  type SettledFact,
} from '../../core/index.js';
import { Batcher } from '../batcher/index.js';
import { SpareTime } from '../executor/index.js';
import { Dataplane, ServedVersion } from './index.js';

const MS = 1e6;
const UNCOUNTED = { succeeded() {}, failed() {}, routed() {}, executed() {}, setQueueDepth() {}, ...NOT_SLOW };
const DEFAULT_SPLIT: ReleaseSplit = {
  number: 7,
  rollout: 'digits-2',
  baseline: 1,
  candidate: 2,
  canaryBuckets: 3000,
  shadowBuckets: 10_000,
  salt: 'salt',
  key: undefined,
};

/** What a split assigned and became of it, as its caller saw it. */
interface Seen {
  readonly version: number;
  readonly reason: Reason | undefined;
  readonly assigned: boolean;
}

/** The whole data path of versions 1 and 2 on a fake clock; what executes fails with `failing` of a hundred. */
function setup(random: () => number = () => 0.5, failing = 0) {
  const clock = new FakeClock();
  const facts: ReleaseFact[] = [];
  const spare = new SpareTime();
  const metrics = { version: () => UNCOUNTED, refused() {} };
  const dataplane = new Dataplane({
    clock,
    metrics,
    whyAbsent: () => undefined,
    releases: {
      facts: { note: (fact) => facts.push(fact) },
      shadows: { maxInFlight: 4, maxBytes: 10_000, tolerances: { absolute: 0, relative: 0 } },
    },
  });
  const served = new Map<number, { served: ServedVersion; batchers: Batcher[]; leave: () => void }>();
  const executors: FakeExecutor[] = [];
  const drains: Promise<void>[] = [];

  function load(version: number): void {
    const spec = modelSpec({
      id: { model: 'm', version },
      batching: policy({ maxQueueDelayUs: version === 1 ? 0 : 500, maxRequestRows: 16 }),
    });
    const executor = new FakeExecutor({
      clock,
      slots: 1 + (version % 2),
      cancelNs: 1000,
      serviceNs: () => MS * (0.2 + random()),
      compute: (batch) => (random() * 100 < failing ? new ServingError('BACKEND_FAILED', 'no') : echo(batch)),
    });
    executors.push(executor);
    const shared = spare.share(executor, ['cpu:0']);
    const batcher = new Batcher({ spec, executor: shared.foreground, clock, metrics: UNCOUNTED, maxQueueSize: 6 });
    shared.waiting = () => batcher.depth;
    const shadows = shadowBatcher(spec, shared.background, clock);
    served.set(version, {
      served: new ServedVersion(spec, batcher, UNCOUNTED, shadows),
      batchers: [batcher, shadows],
      leave: () => shared.leave(),
    });
  }

  function publish(split: ReleaseSplit | undefined): void {
    const traffic: ModelTraffic = { routes: undefined, release: { defaultVersion: 1, split } };
    dataplane.publish(
      'm',
      [...served.values()].map((one) => one.served),
      traffic,
    );
  }

  function unload(version: number): void {
    const gone = served.get(version);
    served.delete(version);
    for (const batcher of gone?.batchers ?? []) drains.push(batcher.drain(0).then(gone?.leave));
  }

  const leases: number[] = [];
  const lease = (): Lease => {
    const at = leases.push(1) - 1;
    return {
      bytes: new Uint8Array(64),
      retain: () => {
        if (leases[at] === 0) throw new Error('the lease has ended');
        leases[at]!++;
      },
      release: () => {
        if (leases[at] === 0) throw new Error('released too often');
        leases[at]!--;
      },
    };
  };

  const seen = new Map<string, Seen>();
  const send = (id: string, changes: Partial<InferenceRequest> = {}): InferenceHandle => {
    const nowNs = clock.nowNs();
    const held = lease();
    const note = (version: number, reason: Reason | undefined, route: string | undefined) => {
      if (seen.has(id)) throw new Error('answered twice');
      seen.set(id, { version, reason, assigned: route === DEFAULT_SPLIT.rollout });
      held.release();
    };
    return dataplane.infer(request({ id, lease: held, receivedNs: nowNs, decodedNs: nowNs, ...changes }), {
      done: ({ version, mark }) => note(version.version, undefined, mark?.route),
      failed: ({ reason }, mark) => note(mark?.version ?? 0, reason, mark?.route),
    });
  };
  const settled = () => facts.filter((fact): fact is SettledFact => fact.kind === 'settled');
  const copies = () => facts.filter(({ kind }) => kind !== 'settled');
  const held = () => leases.reduce((sum, references) => sum + references, 0);
  return { clock, facts, settled, copies, seen, send, load, unload, publish, held, drains, executors };
}

describe('facts of releases', () => {
  it('say of an answered request its arm, its execution shared with its batch-mates, and what it came to', () => {
    const path = setup();
    path.load(1);
    path.publish({ ...DEFAULT_SPLIT, candidate: 1, canaryBuckets: 0, shadowBuckets: 0 });
    path.send('one', { inputs: [fp32('x', [1, 2], [3, 9])] });
    path.send('two');
    path.send('three', { inputs: [fp32('x', [3, 2])] });
    path.send('four');
    path.clock.advance(10 * MS);
    const common = { kind: 'settled', model: 'm', version: 1, split: 7, reason: undefined };
    expect(path.settled()).toMatchObject([
      { ...common, requestId: 'one', execution: 1, output: { topIndex: 1, topValue: 9, finite: true } },
      { ...common, requestId: 'two', execution: 2, totalNs: 0.7 * MS, deviceNs: 0.7 * MS },
      { ...common, requestId: 'three', execution: 3, totalNs: 1.4 * MS, deviceNs: (0.7 * MS * 3) / 4 },
      { ...common, requestId: 'four', execution: 3, deviceNs: (0.7 * MS) / 4 },
    ]);
  });

  it('say why a request failed, whoever is to blame, and nothing of requests that no split assigned', () => {
    const path = setup(() => 0.5, 100);
    path.load(1);
    path.publish({ ...DEFAULT_SPLIT, candidate: 1, canaryBuckets: 0 });
    path.send('bad', { inputs: [fp32('x', [1, 3])] });
    path.send('late', { deadlineNs: path.clock.nowNs() });
    path.send('failed');
    path.send('named', { version: 1 });
    path.send('gone').cancel();
    path.send('x'.repeat(300)).cancel();
    path.send('nobody', { model: 'other' });
    path.clock.advance(10 * MS);
    const facts = path.settled().map(({ requestId, reason, execution }) => [requestId, reason, execution > 0]);
    expect(facts).toEqual([
      ['bad', 'SHAPE_MISMATCH', false],
      ['late', 'DEADLINE_EXCEEDED', false],
      ['gone', 'CLIENT_CANCELLED', false],
      ['', 'CLIENT_CANCELLED', false],
      ['failed', 'BACKEND_FAILED', true],
    ]);
    expect(path.copies()).toEqual([]);
    path.publish(undefined);
    path.send('again');
    path.clock.advance(10 * MS);
    expect(path.facts).toHaveLength(5);
  });

  it('come exactly once for every assigned request, and for every copy, in 800 random schedules', async () => {
    const kinds = new Set<string>();
    for (let seed = 0; seed < 800; seed++) {
      const random = seeded(seed);
      const path = setup(random, random() < 0.5 ? 0 : 20);
      for (const version of [1, 2]) path.load(version);
      const handles: InferenceHandle[] = [];
      let split: ReleaseSplit | undefined = DEFAULT_SPLIT;
      path.publish(split);
      const steps = 20 + Math.floor(random() * 40);
      for (let step = 0; step < steps; step++) {
        const what = random();
        if (what < 0.55) {
          const rows = random() < 0.1 ? 9 : 1 + Math.floor(random() * 3);
          const deadlineNs = random() < 0.1 ? path.clock.nowNs() + random() * MS : Number.POSITIVE_INFINITY;
          const inputs = [fp32('x', random() < 0.05 ? [rows, 3] : [rows, 2])];
          handles.push(path.send(`${step}`, { inputs, deadlineNs, ...(random() < 0.1 ? { version: 1 } : {}) }));
        } else if (what < 0.65) handles[Math.floor(random() * handles.length)]?.cancel();
        else if (what < 0.9) path.clock.advance(random() * 3 * MS);
        else if (what < 0.95) {
          // The candidate is loaded again, or taken out; with it its split.
          const again = random() < 0.5;
          const old = 2;
          path.unload(old);
          if (again) path.load(2);
          split = again ? { ...DEFAULT_SPLIT, canaryBuckets: Math.floor(random() * 10_000) } : undefined;
          path.publish(split);
        }
      }
      path.clock.advance(3000 * MS);
      for (const version of [1, 2]) path.unload(version);
      path.clock.advance(3000 * MS);
      await Promise.all(path.drains);

      const facts = new Map(path.settled().map((fact) => [fact.requestId, fact]));
      const assigned = [...path.seen].filter(([, one]) => one.assigned);
      expect(path.settled()).toHaveLength(facts.size);
      expect([...facts.keys()].sort()).toEqual(assigned.map(([id]) => id).sort());
      for (const [id, { version, reason }] of assigned) expect(facts.get(id)).toMatchObject({ version, reason });
      // All of the baseline's answers have a shadow.
      const answered = assigned.filter(([, one]) => one.version === 1 && one.reason === undefined);
      expect(path.copies()).toHaveLength(answered.length);
      for (const { kind } of path.copies()) kinds.add(kind);
      for (const { reason } of facts.values()) kinds.add(reason ?? 'answered');
      expect(path.held()).toBe(0);
      expect(path.executors.reduce((busy, executor) => busy + executor.busy, 0)).toBe(0);
    }
    expect([...kinds]).toEqual(
      expect.arrayContaining(['compared', 'shadow-dropped', 'answered', 'BACKEND_FAILED', 'CLIENT_CANCELLED']),
    );
  });
});
