import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { NOT_SLOW } from '../../test/support/not-slow.js';
import { POISON, poisonedArena } from '../../test/support/poisoned-arena.js';
import {
  bytes,
  computed,
  type DrawnEnsemble,
  expected,
  inputsOf,
  planOf,
  randomEnsemble,
} from '../../test/support/random-ensembles.js';
import { modelRoutes, releaseSplit } from '../../test/support/routes.js';
import { modelSpec, request, tensorSpec } from '../../test/support/specs.js';
import {
  type InferenceHandle,
  type Lease,
  type ModelTraffic,
  type ReleaseFact,
  ServingError,
  type Tensor,
} from '../core/index.js';
import type { Arena } from '../serving/arena/index.js';
import type { MemberDone, QueueItem, RequestQueue } from '../serving/batcher/index.js';
import { Dataplane, ServedVersion } from '../serving/dataplane/index.js';
import { EnsembleQueue, KeptBytes } from '../serving/ensembles/index.js';

const MS = 1e6;
const UNCOUNTED = { succeeded() {}, failed() {}, routed() {}, executed() {}, setQueueDepth() {}, ...NOT_SLOW };
const TOLERANCES = { absolute: 0, relative: 0 };

/** How the requests for one model of an ensemble find their version. */
interface DrawnTraffic {
  readonly percent: number;
  readonly keyed: boolean;
  readonly shadowed: boolean;
  /** `ms`: a second try after so long; 0: after a failure. */
  readonly secondTry: number | undefined;
  readonly tried: boolean;
  readonly filtered: boolean;
}

const drawnTraffic: fc.Arbitrary<DrawnTraffic> = fc.record({
  percent: fc.constantFrom(0, 30, 100),
  keyed: fc.boolean(),
  shadowed: fc.boolean(),
  secondTry: fc.constantFrom(undefined, 0, 3),
  tried: fc.boolean(),
  filtered: fc.constantFrom(false, false, false, true),
});

/** What happens next: `of` says to which of what there is. */
const drawnEvents = fc.array(
  fc.record({
    what: fc.constantFrom('answer', 'answer', 'answer', 'answer', 'fail', 'cancel', 'time', 'lag'),
    of: fc.nat(),
  }),
  { maxLength: 40 },
);

const OUTCOMES = ['QUEUE_FULL', 'EXECUTOR_LOST', 'BACKEND_FAILED'] as const;

/** A lane that computes when the test says so, and may go on reading what nobody waits for any more. */
class HandLane implements RequestQueue {
  readonly waiting: QueueItem[];
  readonly lagging: { readonly inputs: readonly (Tensor | undefined)[]; readonly lease: Lease }[];

  constructor(waiting: QueueItem[], lagging: HandLane['lagging']) {
    this.waiting = waiting;
    this.lagging = lagging;
  }

  enqueue(item: QueueItem): void {
    if (this.waiting.length > 40) throw new ServingError('QUEUE_FULL', 'the lane is full');
    // A lane takes its own reference when a run begins: here at once.
    item.member.lease?.retain();
    this.waiting.push(item);
  }

  cancel(item: QueueItem): void {
    const at = this.waiting.indexOf(item);
    if (at < 0) return;
    this.waiting.splice(at, 1);
    const { inputs, lease } = item.member;
    if (lease !== undefined) this.lagging.push({ inputs, lease });
    item.settle({ kind: 'failed', error: new ServingError('CLIENT_CANCELLED', 'cancelled'), execution: 0 });
  }
}

/** One for all runs, as its memory is large; a run that left something in it does not spoil the next. */
let arena: Arena | undefined;
function cleanArena(): Arena {
  if (arena?.leases !== 0) arena = poisonedArena(64 * 1024 * 1024);
  return arena;
}

interface Asked {
  readonly handle: InferenceHandle;
  readonly replies: (number[][] | ServingError)[];
}

/** A whole gateway for one ensemble of two versions: its data path, the versions of its models, their copies. */
class World {
  readonly clock = new FakeClock();
  readonly arena = cleanArena();
  readonly kept = new KeptBytes({ memory: this.arena, maxBytes: 1e6 });
  readonly copied = new KeptBytes({ memory: this.arena, maxBytes: 1e6 });
  readonly facts: ReleaseFact[] = [];
  /** Items in the lanes of all models, copies of requests included. */
  readonly open: { readonly model: string; readonly item: QueueItem }[] = [];
  readonly lagging: HandLane['lagging'] = [];
  readonly asked: Asked[] = [];
  readonly queues: EnsembleQueue[] = [];
  readonly dataplane = new Dataplane({
    clock: this.clock,
    metrics: { refused() {} },
    whyAbsent: () => undefined,
    releases: {
      facts: { note: (fact) => this.facts.push(fact) },
      shadows: { maxInFlight: 4, maxBytes: 1e5, tolerances: TOLERANCES },
    },
  });
  readonly #drawn: DrawnEnsemble;
  #executions = 0;

  constructor(drawn: DrawnEnsemble, traffic: readonly DrawnTraffic[], canaryBuckets: number) {
    this.#drawn = drawn;
    for (const [i, step] of drawn.steps.entries()) {
      const told = traffic[i % traffic.length] as DrawnTraffic;
      const outputs = [...step.outputs.keys()];
      const versions = [1, 2].map((version) => {
        const uint8 = (name: string) => tensorSpec(name, 'UINT8', [-1]);
        const spec = modelSpec({
          id: { model: step.model, version },
          inputs: [...step.inputs.keys()].map(uint8),
          outputs: outputs.map(uint8),
        });
        return new ServedVersion(spec, this.#lane(step.model), UNCOUNTED, this.#lane(step.model));
      });
      this.dataplane.publish(step.model, versions, trafficOf(told, i, outputs[0] as string));
    }
    const plan = planOf(drawn);
    const versions = [1, 2].map((version) => {
      const versioned = { ...plan, spec: { ...plan.spec, id: { model: 'e', version } } };
      const queueOf = (kept: KeptBytes, send: 'infer' | 'copy') => {
        const queue = new EnsembleQueue({
          plan: versioned,
          send: (one, reply) => this.dataplane[send](one, reply),
          kept,
          clock: this.clock,
          metrics: UNCOUNTED,
          maxInFlight: 8,
        });
        this.queues.push(queue);
        return queue;
      };
      return new ServedVersion(versioned.spec, queueOf(this.kept, 'infer'), UNCOUNTED, queueOf(this.copied, 'copy'));
    });
    const split = releaseSplit({ canaryBuckets, shadowBuckets: 5000, key: { from: 'request-id' } });
    this.dataplane.publish('e', versions, { routes: undefined, release: { defaultVersion: 1, split } });
  }

  #lane(model: string): HandLane {
    const { open } = this;
    const waiting = {
      get length() {
        return open.length;
      },
      push: (item: QueueItem) => open.push({ model, item }),
      indexOf: (item: QueueItem) => open.findIndex((one) => one.item === item),
      splice: (at: number, count: number) => open.splice(at, count),
    };
    return new HandLane(waiting as unknown as QueueItem[], this.lagging);
  }

  ask(id: string): void {
    const inputs = inputsOf(this.#drawn.inputs);
    const lease = this.arena.lease(64 * inputs.length) as Lease;
    const leased = inputs.map((tensor, i) => {
      lease.bytes.set(tensor.data, 64 * i);
      return { ...tensor, data: lease.bytes.subarray(64 * i, 64 * i + tensor.data.byteLength) };
    });
    const replies: Asked['replies'] = [];
    const told = (reply: Asked['replies'][number]) => {
      replies.push(reply);
      // As a transport: its memory is another request's from now on.
      if (replies.length === 1) lease.release();
    };
    const handle = this.dataplane.infer(
      request({ model: 'e', version: undefined, id, inputs: leased, lease, outputs: [] }),
      { done: ({ outputs }) => told(outputs.map(({ data }) => [...data])), failed: told },
    );
    this.asked.push({ handle, replies });
  }

  answer(at: number): void {
    const [{ model, item }] = this.open.splice(at, 1) as [World['open'][number]];
    const step = this.#drawn.steps.find((one) => one.model === model);
    const inputs = item.member.inputs as readonly Tensor[];
    const outputs = [...(step?.outputs.keys() ?? [])].map((name) => bytes(name, computed({ model, inputs }, name)));
    item.settle({ ...DONE, outputs, execution: ++this.#executions });
    item.member.lease?.release();
    for (const { data } of outputs) data.fill(POISON);
  }

  fail(at: number, why: number): void {
    const [{ item }] = this.open.splice(at, 1) as [World['open'][number]];
    const reason = OUTCOMES[why % OUTCOMES.length] as (typeof OUTCOMES)[number];
    item.settle({ kind: 'failed', error: new ServingError(reason, 'it failed'), execution: ++this.#executions });
    item.member.lease?.release();
  }

  /** A lane that nobody waits for comes to its end: what it read was there until now. */
  lag(at: number): void {
    const [{ inputs, lease }] = this.lagging.splice(at, 1) as [World['lagging'][number]];
    for (const tensor of inputs) expect(tensor?.data.includes(POISON)).toBe(false);
    lease.release();
  }

  happen({ what, of }: { readonly what: string; readonly of: number }): void {
    if (what === 'time') this.clock.advanceTo(this.clock.nowNs() + (of % 5) * MS);
    else if (what === 'cancel') this.asked[of % this.asked.length]?.handle.cancel();
    else if (what === 'lag') {
      if (this.lagging.length > 0) this.lag(of % this.lagging.length);
    } else if (this.open.length > 0) {
      if (what === 'answer') this.answer(of % this.open.length);
      else this.fail(of % this.open.length, of);
    }
  }

  end(): void {
    this.clock.advanceTo(this.clock.nowNs() + 1000 * MS);
    while (this.open.length > 0) this.answer(0);
    while (this.lagging.length > 0) this.lag(0);
  }
}

const DONE: Omit<MemberDone, 'outputs' | 'execution'> = {
  kind: 'done',
  deviceNs: 10,
  cost: 1,
  queueNs: 1,
  gatherNs: 1,
  dispatchNs: 1,
  computeNs: 1,
  batchRows: 1,
  batchRequests: 1,
  device: -1,
  paddingShare: 0,
  batchFinishedNs: 0,
};

function trafficOf(told: DrawnTraffic, step: number, output: string): ModelTraffic {
  const { percent, keyed, shadowed, secondTry, tried, filtered } = told;
  if (tried) {
    const split = releaseSplit({
      number: 100 + step,
      canaryBuckets: 100 * percent,
      shadowBuckets: shadowed ? 5000 : 0,
    });
    return { routes: undefined, release: { defaultVersion: 1, split } };
  }
  const key = keyed ? ({ from: 'request-id' } as const) : undefined;
  const arms = [
    { to: 1, percent: 100 - percent },
    { to: 2, percent },
  ];
  const fallback = { to: 1, onError: secondTry === 0, afterMs: secondTry === 0 ? undefined : secondTry };
  const routes = modelRoutes({
    splits: { split: { arms, key, salt: 's', flag: undefined } },
    default: 'split',
    shadows: shadowed ? [{ name: 'copies', to: 2, percent: 100, when: undefined, flag: undefined }] : [],
    fallback: secondTry === undefined ? undefined : fallback,
    filters: filtered
      ? [
          {
            name: 'taken',
            when: { of: { from: 'request-id' }, equals: 'r0' },
            action: { answer: [{ name: output, dataType: 'UINT8', shape: [2], values: [1, 2] }] },
            enabled: true,
            flag: undefined,
          },
        ]
      : [],
  });
  return { routes, release: undefined };
}

it('answers each request once and leaves no memory behind, however its steps are routed and end', () => {
  let answered = 0;
  let compared = 0;
  fc.assert(
    fc.property(
      randomEnsemble,
      fc.array(drawnTraffic, { minLength: 1, maxLength: 7 }),
      fc.constantFrom(0, 4000, 10_000),
      fc.integer({ min: 1, max: 4 }),
      drawnEvents,
      (drawn, traffic, canaryBuckets, requests, events) => {
        const world = new World(drawn, traffic, canaryBuckets);
        for (let i = 0; i < requests; i++) world.ask(`r${i}`);
        for (const event of events) world.happen(event);
        world.end();
        const filtered = traffic.some((one) => one.filtered && !one.tried);
        const value = expected(drawn);
        for (const [i, { replies }] of world.asked.entries()) {
          expect(replies).toHaveLength(1);
          if (replies[0] instanceof ServingError) continue;
          answered++;
          // What a filter answered is not what the model computes.
          if (i > 0 || !filtered) expect(replies[0]).toEqual(value);
        }
        const ofEnsemble = world.facts.filter(({ model }) => model === 'e');
        // A guard sees a request once, whatever became of its steps.
        const settled = ofEnsemble.filter(({ kind }) => kind === 'settled') as (ReleaseFact & { kind: 'settled' })[];
        expect(settled.map(({ requestId }) => requestId).sort()).toEqual(world.asked.map((_, i) => `r${i}`));
        compared += ofEnsemble.filter(({ kind }) => kind === 'compared').length;
        for (const fact of ofEnsemble)
          if (fact.kind === 'compared' && fact.comparison !== undefined && !filtered)
            expect(fact.comparison.agrees).toBe(true);
        expect([world.kept.bytes, world.copied.bytes, world.arena.leases]).toEqual([0, 0, 0]);
        expect(world.queues.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0, 0]);
      },
    ),
    { numRuns: 2000 },
  );
  expect(answered).toBeGreaterThan(500);
  expect(compared).toBeGreaterThan(100);
}, 60_000);
