import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { NOT_SLOW } from '../../../test/support/not-slow.js';
import { SilentLog } from '../../../test/support/silent-log.js';
import { modelSpec, request } from '../../../test/support/specs.js';
import {
  Charges,
  OTHERS,
  PLAIN_TRAFFIC,
  type ReleaseFact,
  type RequestMetrics,
  ServingError,
  type VersionMetrics,
} from '../../core/index.js';
import { Arena } from '../arena/index.js';
import { Batcher } from '../batcher/index.js';
import type { ControlPlane } from '../controlplane/index.js';
import { Dataplane } from '../dataplane/index.js';
import type { RunningThread } from './ingress-thread.js';
import { IngressThreads, type PublishableVersion } from './ingress-threads.js';
import { ControlDesk } from './remote-control.js';
import type { ThreadStart } from './thread-messages.js';
import { ThreadSide } from './thread-side.js';

const turn = () => new Promise<void>((resolve) => void setImmediate(resolve));

const UNCOUNTED: VersionMetrics & RequestMetrics = {
  succeeded() {},
  failed() {},
  routed() {},
  executed() {},
  setQueueDepth() {},
  ...NOT_SLOW,
};

/** A thread's end, on this thread: the messages between the two are real, and so is their delay. */
class NearThread extends EventEmitter implements RunningThread {
  readonly performance = { eventLoopUtilization: () => ({ active: 1500 }) };
  readonly clock = new FakeClock();
  readonly dataplane: Dataplane;
  readonly side: ThreadSide;

  constructor(start: ThreadStart<unknown>) {
    super();
    const { clock } = this;
    const arena = new Arena({ memory: new Uint8Array(new SharedArrayBuffer(2 ** 25)), clock });
    this.side = new ThreadSide(start, arena, clock);
    const { whyAbsent } = this.side;
    this.dataplane = new Dataplane({ clock, metrics: { refused() {} }, whyAbsent });
    const servers = { refreshHealth() {}, closeIntake() {}, close: async () => void setImmediate(() => this.end()) };
    this.side.run(this.dataplane, servers, () => UNCOUNTED);
  }

  end(): void {
    this.emit('exit');
  }

  /** The outcome of a request: the version's mark, or the reason it was refused. */
  ask(model: string): Promise<string> {
    return new Promise((resolve) => {
      this.side.upToDate(this.dataplane).infer(request({ model }), {
        done: ({ version }) => resolve(`${version.model}/${version.version}`),
        failed: (error) => resolve(error.reason),
      });
    });
  }
}

interface Hosted extends PublishableVersion {
  readonly batcher: Batcher;
  readonly executor: FakeExecutor;
}

function hosted(model: string, version = 1): Hosted {
  const spec = modelSpec({ id: { model, version } });
  const executor = new FakeExecutor({ clock: new FakeClock(), slots: 1 });
  const batcher = new Batcher({ spec, executor, clock: new FakeClock(), metrics: UNCOUNTED, maxQueueSize: 1000 });
  return { spec, queue: batcher, batcher, executor };
}

/** Ends what runs. */
function work({ executor }: Hosted): void {
  for (const execution of executor.executions.splice(0)) {
    execution.finish([
      { name: 'y', dataType: 'FP32', shape: [execution.batch.rows, 2], data: new Uint8Array(execution.batch.rows * 8) },
    ]);
  }
}

let ingress: IngressThreads | undefined;
afterEach(async () => {
  await ingress?.close();
  ingress = undefined;
});

async function started(threads: number) {
  const near: NearThread[] = [];
  const log = new SilentLog();
  const clock = new FakeClock();
  const facts: ReleaseFact[] = [];
  ingress = new IngressThreads({
    threads,
    calls: 64,
    begin: (_, start) => {
      const thread = new NearThread(start);
      near.push(thread);
      return thread;
    },
    settingsOf: (index) => ({ index }),
    figuresOf: () => new SharedArrayBuffer(8),
    desk: new ControlDesk(
      () => ({ live: () => ({ live: true }) }) as unknown as ControlPlane,
      (model) => (model === 'loading' ? new ServingError('VERSION_NOT_READY', 'it loads') : undefined),
    ),
    tenantNamed: () => OTHERS,
    charges: new Charges(),
    facts: { note: (fact) => facts.push(fact) },
    clock,
    log,
  });
  await ingress.start({ http: 1, grpc: 2 });
  return { ingress, near, log, clock, facts };
}

describe('ingress threads', () => {
  it('refuse and lose nothing while a model is reloaded again and again', async () => {
    const { ingress, near } = await started(3);
    let serving = hosted('m');
    await ingress.publish('m', [serving], PLAIN_TRAFFIC, 1);
    const asked: Promise<string>[] = [];
    const drained: Promise<void>[] = [];
    const all = [serving];
    for (let round = 0; round < 400; round++) {
      for (const [i, thread] of near.entries()) if ((round + i) % 3 !== 2) asked.push(thread.ask('m'));
      if (round % 4 === 1) {
        const old = serving;
        serving = hosted('m');
        all.push(serving);
        void ingress.publish('m', [serving], PLAIN_TRAFFIC, 1);
        drained.push(ingress.routed().then(() => old.batcher.drain(1000)));
      }
      if (round % 3 === 0) await turn();
      for (const version of all) work(version);
    }
    // Whatever is drained leaves what it had to be done here.
    for (let rest = 0; rest < 20; rest++) {
      await turn();
      for (const version of all) work(version);
    }
    await Promise.all(drained);
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['m/1']));
    expect(asked.length).toBeGreaterThan(700);
  });

  it('find a model that was published a moment ago, on any thread, before they have heard of it', async () => {
    const { ingress, near } = await started(2);
    const version = hosted('new');
    void ingress.publish('new', [version], PLAIN_TRAFFIC, 1);
    const asked = near.map((thread) => thread.ask('new'));
    for (let i = 0; i < 10; i++) {
      await turn();
      work(version);
    }
    expect(await Promise.all(asked)).toEqual(['new/1', 'new/1']);
  });

  it('route by a table from the turn on in which it is published, however much lies before it', async () => {
    const { ingress, near } = await started(2);
    const [old, next] = [hosted('m', 1), hosted('m', 2)];
    await ingress.publish('m', [old], PLAIN_TRAFFIC, 1);
    for (let table = 2; table < 50; table++) void ingress.publish('m', [old], PLAIN_TRAFFIC, table);
    const before = near.map((thread) => thread.ask('m'));
    void ingress.publish('m', [old, next], PLAIN_TRAFFIC, 50);
    const after = near.map((thread) => thread.ask('m'));
    expect(near.map(({ dataplane }) => dataplane.table.numberOf('m'))).toEqual([50, 50]);
    for (let i = 0; i < 10; i++) {
      await turn();
      work(old);
      work(next);
    }
    expect(await Promise.all([...before, ...after])).toEqual(['m/1', 'm/1', 'm/2', 'm/2']);
  });

  it('tell what they noted when they are asked', async () => {
    const { ingress, near, facts } = await started(2);
    const fact = (split: number): ReleaseFact => ({ kind: 'shadow-dropped', model: 'm', version: 2, split });
    for (const [i, thread] of near.entries()) thread.side.facts.note(fact(i));
    await ingress.factsTold();
    expect([...facts].sort((a, b) => a.split - b.split)).toEqual([fact(0), fact(1)]);
  });

  it('pass on what they note of releases some milliseconds later, and the rest before they end', async () => {
    const { ingress, near, facts } = await started(2);
    const fact = (split: number): ReleaseFact => ({ kind: 'shadow-dropped', model: 'm', version: 2, split });
    near[0]?.side.facts.note(fact(1));
    near[0]?.clock.advance(10e6);
    near[1]?.side.facts.note(fact(2));
    await turn();
    await turn();
    expect(facts).toEqual([fact(1)]);
    await ingress.close();
    expect(facts).toEqual([fact(1), fact(2)]);
  });

  it('say why a model is not there, as the control thread does', async () => {
    const { near } = await started(1);
    const [thread] = near as [NearThread];
    expect(await thread.ask('loading')).toBe('VERSION_NOT_READY');
    expect(await thread.ask('nobody')).toBe('MODEL_NOT_FOUND');
    expect(await thread.side.control.live()).toEqual({ live: true });
    await expect(thread.side.control.ready()).rejects.toMatchObject({ reason: 'INTERNAL' });
  });

  it('are replaced where one ends by itself; its calls are cancelled and nobody waits for it', async () => {
    const { ingress, near, log, clock } = await started(2);
    const version = hosted('m');
    await ingress.publish('m', [version], PLAIN_TRAFFIC, 1);
    void near[0]?.ask('m');
    const other = near[1]?.ask('m');
    await turn();
    await turn();
    const unrouted = ingress.publish('m', [version], PLAIN_TRAFFIC, 1);
    near[0]?.end();
    await unrouted;
    expect(ingress.serving).toBe(1);
    expect(ingress.failures).toBe(1);
    expect(log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringMatching(/failed/) }),
    );
    for (let i = 0; i < 4; i++) {
      work(version);
      await turn();
    }
    expect(await other).toBe('m/1');
    expect(version.batcher.depth).toBe(0);

    clock.advance(1000e6);
    for (let i = 0; i < 4; i++) await turn();
    expect(ingress.serving).toBe(2);
    const again = near[2]?.ask('m');
    for (let i = 0; i < 4; i++) {
      await turn();
      work(version);
    }
    expect(await again).toBe('m/1');
    expect([...ingress.busySeconds()]).toEqual([
      ['ingress 0', 1.5],
      ['ingress 1', 1.5],
    ]);
  });
});
