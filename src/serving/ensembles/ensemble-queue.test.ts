import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { POISON, poisonedArena } from '../../../test/support/poisoned-arena.js';
import { bytes, computed, expected, inputsOf, planOf, randomEnsemble } from '../../../test/support/random-ensembles.js';
import {
  type EnsembleStep,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type Lease,
  NO_DEADLINE,
  offerToLend,
  type RequestOrigin,
  ServingError,
  SHADOW,
  SHADOW_COPY,
  type Tensor,
} from '../../core/index.js';
import type { MemberOutcome, QueueItem } from '../batcher/index.js';
import type { EnsemblePlan } from './ensemble-plan.js';
import { EnsembleQueue } from './ensemble-queue.js';
import { KeptBytes } from './kept-tensors.js';

/** A step as it was sent, until the test answers it. Reads its inputs as late as a lane may. */
interface Sent {
  readonly request: InferenceRequest;
  readonly reply: InferenceReply;
  cancelled: boolean;
  answered: boolean;
}

class Item implements QueueItem {
  readonly member;
  readonly key = '';
  readonly priority = 3;
  readonly timeoutUs = 77;
  readonly deadlineNs = NO_DEADLINE;
  readonly enqueuedNs = 0;
  readonly tenant = SHADOW;
  readonly criticality = 4;
  readonly charge = SHADOW_COPY;
  origin?: RequestOrigin;
  readonly outcomes: MemberOutcome[] = [];
  /** Outputs as they were while they were valid. */
  outputs: number[][] = [];

  constructor(inputs: readonly Tensor[]) {
    this.member = { inputs, rows: 1 };
  }

  settle(outcome: MemberOutcome): void {
    this.outcomes.push(outcome);
    if (outcome.kind === 'done') this.outputs = outcome.outputs.map(({ data }) => [...data]);
  }
}

const MARK = {
  version: 1,
  route: 'default',
  table: 1,
  place: 0,
  routed: false,
  headers: [],
  metadata: {},
  parameters: {},
};
const LATENCY = { decodeNs: 0, queueNs: 0, gatherNs: 0, dispatchNs: 0, computeNs: 0, scatterNs: 0, encodeNs: 0 };

const ANSWER: Omit<InferenceResponse, 'version' | 'outputs'> = {
  id: '',
  parameters: {},
  latency: LATENCY,
  batchRows: 1,
  paddingShare: 0,
  deviceNs: 10,
  cost: 0.5,
  mark: MARK,
};

/** Memory of a lane that is written again once its run is settled and nobody holds it. */
class LendingLane implements Lease {
  readonly bytes: Uint8Array;
  references = 0;
  #settled = false;

  constructor(data: Uint8Array) {
    this.bytes = data;
    offerToLend(data.buffer, {
      lend: () => {
        this.references++;
        return this;
      },
    });
  }

  get held(): boolean {
    return this.references > 0;
  }

  retain(): void {
    expect(this.held).toBe(true);
    this.references++;
  }

  release(): void {
    expect(this.held).toBe(true);
    this.references--;
    this.#write();
  }

  settled(): void {
    this.#settled = true;
    this.#write();
  }

  #write(): void {
    if (this.#settled && !this.held) this.bytes.fill(POISON);
  }
}

class World {
  readonly sent: Sent[] = [];
  readonly lanes: LendingLane[] = [];
  readonly #lends: boolean;
  readonly arena = poisonedArena(64 * 1024 * 1024);
  readonly kept: KeptBytes;
  readonly queue: EnsembleQueue;
  readonly clock = new FakeClock();
  executed = 0;
  depth = 0;

  constructor(plan: EnsemblePlan, { maxInFlight = 8, maxBytes = 1e6, lends = false } = {}) {
    this.#lends = lends;
    this.kept = new KeptBytes({ memory: this.arena, maxBytes });
    this.queue = new EnsembleQueue({
      plan,
      kept: this.kept,
      clock: this.clock,
      maxInFlight,
      metrics: {
        executed: () => this.executed++,
        setQueueDepth: (depth) => {
          this.depth = depth;
        },
      },
      send: (request, reply) => {
        const one: Sent = { request, reply, cancelled: false, answered: false };
        this.sent.push(one);
        return {
          cancel: () => {
            one.cancelled = true;
          },
        };
      },
    });
  }

  get open(): Sent[] {
    return this.sent.filter((one) => !one.answered);
  }

  /** Answers a step by `value` out of a lane that is used again at once, or lends its memory. */
  answer(one: Sent, value: (request: InferenceRequest, output: string) => number[]): void {
    one.answered = true;
    const outputs = one.request.outputs.map(({ name }) => bytes(name, value(one.request, name)));
    const lanes = this.#lends ? outputs.map(({ data }) => new LendingLane(data)) : [];
    this.lanes.push(...lanes);
    const id = { model: one.request.model, version: 1 };
    const run = { execution: 5, queueNs: 1, gatherNs: 2, dispatchNs: 3, computeNs: 4 };
    const rest = { batchRows: 1, paddingShare: 0, batchRequests: 1, device: -1, batchFinishedNs: 9 };
    one.request.trace?.admitted(0, '', 'default');
    one.request.trace?.ran({ ...run, ...rest });
    one.reply.done({ ...ANSWER, version: id, outputs });
    if (!this.#lends) for (const { data } of outputs) data.fill(POISON);
    for (const lane of lanes) lane.settled();
  }

  fail(one: Sent, error = new ServingError('QUEUE_FULL', 'the queue is full', { retryAfterMs: 5 })): void {
    one.answered = true;
    one.reply.failed(error);
  }
}

describe('any ensemble', () => {
  it('sends each step once, when its tensors are there, and is answered once by what its steps compute', () => {
    fc.assert(
      fc.property(
        randomEnsemble,
        fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        (ensemble, order, lends) => {
          const world = new World(planOf(ensemble), { lends });
          const item = new Item(inputsOf(ensemble.inputs));
          world.queue.enqueue(item);
          for (let turn = 0; world.open.length > 0; turn++) {
            expect(item.outcomes).toEqual([]);
            const { open } = world;
            world.answer(open[(order[turn % order.length] as number) % open.length] as Sent, computed);
          }
          expect(world.sent.map(({ request }) => request.model).sort()).toEqual(
            ensemble.steps.map(({ model }) => model).sort(),
          );
          expect(item.outcomes).toMatchObject([
            { kind: 'done', deviceNs: 10 * ensemble.steps.length, cost: 0.5 * ensemble.steps.length },
          ]);
          expect(item.outputs).toEqual(expected(ensemble));
          expect([world.kept.bytes, world.arena.leases, world.queue.inFlight, world.executed]).toEqual([0, 0, 0, 1]);
          expect(world.lanes.filter(({ held }) => held)).toEqual([]);
        },
      ),
    );
  });

  it('is settled once and leaves nothing behind, wherever it fails, is cancelled, or its server drains', async () => {
    const end = fc.constantFrom('fail', 'cancel', 'drain');
    await fc.assert(
      fc.asyncProperty(
        randomEnsemble,
        fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
        fc.nat(9),
        end,
        fc.boolean(),
        async (ensemble, order, at, how, lends) => {
          const world = new World(planOf(ensemble), { lends });
          const item = new Item(inputsOf(ensemble.inputs));
          world.queue.enqueue(item);
          for (let turn = 0; turn < at && world.open.length > 0; turn++) {
            const { open } = world;
            world.answer(open[(order[turn % order.length] as number) % open.length] as Sent, computed);
          }
          const before = world.open;
          const over = item.outcomes.length > 0;
          if (how === 'fail') {
            const [one] = before;
            if (one !== undefined) world.fail(one);
          } else if (how === 'cancel') world.queue.cancel(item);
          else {
            const drained = world.queue.drain(1);
            world.clock.advanceTo(2e6);
            await drained;
          }
          // What was cancelled still answers.
          for (const one of world.open) world.answer(one, computed);
          expect(item.outcomes).toHaveLength(1);
          expect(world.sent.length).toBe(new Set(world.sent.map(({ request }) => request.model)).size);
          if (!over) {
            expect(item.outcomes[0]?.kind).toBe('failed');
            const rest = how === 'fail' ? before.slice(1) : before;
            expect(rest.every(({ cancelled }) => cancelled)).toBe(true);
          }
          expect([world.kept.bytes, world.arena.leases, world.queue.inFlight]).toEqual([0, 0, 0]);
          expect(world.lanes.filter(({ held }) => held)).toEqual([]);
        },
      ),
    );
  });
});

/** in0 through m0, then m1 and m2 beside each other, then m3 over both. */
const DIAMOND = {
  inputs: 1,
  outputs: ['t3'],
  steps: [
    { model: 'm0', version: undefined, inputs: new Map([['x', 'in0']]), outputs: new Map([['y0', 't0']]) },
    { model: 'm1', version: 4, inputs: new Map([['x', 't0']]), outputs: new Map([['y0', 't1']]) },
    { model: 'm2', version: undefined, inputs: new Map([['x', 't0']]), outputs: new Map([['y0', 't2']]) },
    {
      model: 'm3',
      version: undefined,
      inputs: new Map([
        ['a', 't1'],
        ['b', 't2'],
      ]),
      outputs: new Map([['y0', 't3']]),
    },
  ] satisfies EnsembleStep[],
};

describe('a step', () => {
  it('is a request in the name of the one that it is a step of', () => {
    const world = new World(planOf(DIAMOND));
    const item = new Item(inputsOf(1));
    world.queue.enqueue(item);
    world.answer(world.sent[0] as Sent, computed);
    expect(world.sent[1]?.request).toMatchObject({
      model: 'm1',
      version: 4,
      outputs: [{ name: 'y0', classification: 0 }],
      priority: 3,
      timeoutUs: 77,
      deadlineNs: NO_DEADLINE,
      behalf: { tenant: SHADOW, criticality: 4, charge: SHADOW_COPY },
    });
  });

  it('says what the request says of itself', () => {
    const world = new World(planOf(DIAMOND));
    const item = new Item(inputsOf(1));
    item.origin = {
      id: 'seven',
      parameters: { user: 'ann' },
      caller: { headers: { 'x-team': 'blue' }, client: '' },
      trace: { traceId: 'e'.repeat(32), spanId: 'f'.repeat(16), sampled: true },
    };
    world.queue.enqueue(item);
    world.answer(world.sent[0] as Sent, computed);
    for (const { request } of world.sent) {
      expect(request).toMatchObject({ id: 'seven', parameters: { user: 'ann' }, caller: item.origin.caller });
      const { traceId, spanId, sampled } = request.trace ?? {};
      expect({ traceId, spanId, sampled }).toEqual(item.origin.trace);
    }
  });

  it('whose model was answered for by a filter gives what that names, and fails where another takes the rest', () => {
    const steps = [
      {
        model: 'm0',
        version: undefined,
        inputs: new Map([['x', 'in0']]),
        outputs: new Map([
          ['y0', 'a'],
          ['y1', 'b'],
        ]),
      },
      { model: 'm1', version: undefined, inputs: new Map([['x', 'b']]), outputs: new Map([['y0', 'c']]) },
    ] satisfies EnsembleStep[];
    const asked = (left: string) => {
      const world = new World(planOf({ inputs: 1, outputs: ['c'], steps }));
      const item = new Item(inputsOf(1));
      world.queue.enqueue(item);
      const [first] = world.sent as [Sent];
      first.answered = true;
      const outputs = [bytes(left, [5, 6])];
      first.reply.done({ ...ANSWER, version: { model: 'm0', version: 1 }, outputs });
      return { world, item };
    };
    const { world, item } = asked('y1');
    expect([...(world.sent[1]?.request.inputs[0]?.data ?? [])]).toEqual([5, 6]);
    world.answer(world.sent[1] as Sent, computed);
    expect(item.outcomes).toMatchObject([{ kind: 'done' }]);
    const failed = asked('y0').item.outcomes;
    expect(failed).toMatchObject([{ kind: 'failed', error: { reason: 'OUTPUT_SHAPE_MISMATCH' } }]);
    expect((failed[0] as { error: ServingError }).error.message).toBe(
      "in ensemble 'e', step 0 (model 'm0'): output 'y1' was not given",
    );
  });

  it('that fails fails the request by its own reason and says which it was; those beside it are cancelled', () => {
    const world = new World(planOf(DIAMOND));
    const item = new Item(inputsOf(1));
    world.queue.enqueue(item);
    world.answer(world.sent[0] as Sent, computed);
    world.fail(world.sent[2] as Sent);
    expect(item.outcomes).toMatchObject([{ kind: 'failed', execution: 0 }]);
    const { error } = item.outcomes[0] as { error: ServingError };
    expect([error.reason, error.retryAfterMs]).toEqual(['QUEUE_FULL', 5]);
    expect(error.message).toBe("in ensemble 'e', step 2 (model 'm2'): the queue is full");
    expect(world.sent[1]?.cancelled).toBe(true);
  });

  it('reads tensors where they were kept, for as long as a lane holds them, settled or not', () => {
    const world = new World(planOf(DIAMOND));
    const item = new Item(inputsOf(1));
    world.queue.enqueue(item);
    world.answer(world.sent[0] as Sent, computed);
    const { request } = world.sent[1] as Sent;
    const [read] = request.inputs;
    const before = [...(read?.data ?? [])];
    request.lease?.retain();
    world.queue.cancel(item);
    expect([...(read?.data ?? [])]).toEqual(before);
    request.lease?.release();
    expect([...(read?.data ?? [])]).toEqual([POISON, POISON]);
  });

  it('tells what it was part of', () => {
    const world = new World(planOf(DIAMOND));
    const item = new Item(inputsOf(1));
    world.queue.enqueue(item);
    while (world.open.length > 0) world.answer(world.open[0] as Sent, computed);
    expect(item.outcomes).toMatchObject([
      {
        queueNs: 4,
        gatherNs: 8,
        computeNs: 16,
        batchRows: 1,
        execution: 1,
        steps: [0, 1, 2, 3].map((step) => ({ step, version: { model: `m${step}` }, run: { execution: 5 } })),
      },
    ]);
  });
});

describe('a tensor in memory that its lane lends', () => {
  it('is not copied: the steps that take it read it there, and it is given back when the last of them is answered', () => {
    const world = new World(planOf(DIAMOND), { lends: true });
    world.queue.enqueue(new Item(inputsOf(1)));
    world.answer(world.sent[0] as Sent, computed);
    const [lane] = world.lanes as [LendingLane];
    expect(world.sent.slice(1).map(({ request }) => request.inputs[0]?.data)).toEqual([lane.bytes, lane.bytes]);
    expect([world.kept.bytes, world.arena.leases, lane.held]).toEqual([2, 0, true]);
    world.answer(world.sent[1] as Sent, computed);
    expect(lane.held).toBe(true);
    world.answer(world.sent[2] as Sent, computed);
    expect(lane.held).toBe(false);
  });

  it('counts once for all requests that keep a part of it', () => {
    const kept = new KeptBytes({ memory: poisonedArena(), maxBytes: 1000 });
    const output = bytes('y', [1, 2, 3, 4]);
    const lane = new LendingLane(output.data);
    const parts = [0, 2].map((at) => kept.keep({ ...output, data: output.data.subarray(at, at + 2) }));
    expect([kept.bytes, lane.references, parts[0]?.lease === parts[1]?.lease]).toEqual([4, 1, true]);
    for (const { lease } of parts) lease.release();
    expect([kept.bytes, lane.references]).toEqual([0, 0]);
  });

  it('is copied where half of what may be kept is lent, so that a batch kept for one row takes no more than that', () => {
    const kept = new KeptBytes({ memory: poisonedArena(), maxBytes: 100 });
    const lane = new LendingLane(new Uint8Array(60).fill(7));
    const part = kept.keep({ ...bytes('y', []), data: lane.bytes.subarray(0, 10) });
    expect([kept.bytes, lane.references]).toEqual([10, 0]);
    expect([...part.tensor.data]).toEqual(new Array(10).fill(7));
    part.lease.release();
    expect(kept.bytes).toBe(0);
  });
});

describe('requests beyond what may be in flight', () => {
  it('are refused, and taken again when there is room', () => {
    const world = new World(planOf(DIAMOND), { maxInFlight: 1 });
    const first = new Item(inputsOf(1));
    world.queue.enqueue(first);
    expect(() => world.queue.enqueue(new Item(inputsOf(1)))).toThrow(/the ensemble is full: 1 requests are in flight/);
    world.queue.cancel(first);
    world.queue.enqueue(new Item(inputsOf(1)));
    expect(world.depth).toBe(1);
  });

  it('fail where their tensors have no room', () => {
    const world = new World(planOf(DIAMOND), { maxBytes: 2 });
    const items = [new Item(inputsOf(1)), new Item(inputsOf(1))];
    for (const item of items) world.queue.enqueue(item);
    for (const one of world.open) world.answer(one, computed);
    const reasons = items.flatMap(({ outcomes }) =>
      outcomes.map((outcome) => outcome.kind === 'failed' && outcome.error),
    );
    expect(reasons).toMatchObject([{ reason: 'OVERLOADED' }]);
    expect(() => world.queue.enqueue(new Item(inputsOf(1)))).toThrow(/no memory for intermediate tensors/);
  });
});

describe('an ensemble whose models are gone', () => {
  it('refuses requests until they are back', () => {
    const plan = planOf(DIAMOND);
    const world = new World(plan);
    world.queue.refuse('a model went');
    expect(() => world.queue.enqueue(new Item(inputsOf(1)))).toThrow(/model 'e' is not ready \(a model went\)/);
    world.queue.adopt(plan);
    world.queue.enqueue(new Item(inputsOf(1)));
    expect(world.sent).toHaveLength(1);
  });

  it('drains: takes no more, waits for what is in flight, and cuts off the rest', async () => {
    const world = new World(planOf(DIAMOND));
    const item = new Item(inputsOf(1));
    world.queue.enqueue(item);
    const drained = world.queue.drain(1000);
    expect(() => world.queue.enqueue(new Item(inputsOf(1)))).toThrow(/is being unloaded/);
    expect(item.outcomes).toEqual([]);
    world.clock.advanceTo(2e9);
    await drained;
    expect(item.outcomes).toMatchObject([{ kind: 'failed', error: { reason: 'DRAINING' } }]);
  });
});
