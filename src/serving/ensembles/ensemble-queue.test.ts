import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { POISON, poisonedArena } from '../../../test/support/poisoned-arena.js';
import { modelSpec, policy, tensorSpec } from '../../../test/support/specs.js';
import {
  type EnsembleStep,
  type InferenceReply,
  type InferenceRequest,
  type InferenceResponse,
  type ModelSpec,
  NO_DEADLINE,
  type RequestOrigin,
  ServingError,
  SHADOW,
  SHADOW_COPY,
  type Tensor,
} from '../../core/index.js';
import type { MemberOutcome, QueueItem } from '../batcher/index.js';
import { type EnsemblePlan, planEnsemble } from './ensemble-plan.js';
import { EnsembleQueue } from './ensemble-queue.js';
import { KeptBytes } from './kept-tensors.js';

/** A step as it was sent, until the test answers it. Reads its inputs as late as a lane may. */
interface Sent {
  readonly request: InferenceRequest;
  readonly reply: InferenceReply;
  cancelled: boolean;
  answered: boolean;
}

const bytes = (name: string, values: readonly number[]): Tensor => ({
  name,
  dataType: 'UINT8',
  shape: [1, values.length],
  data: Uint8Array.from(values),
});

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

class World {
  readonly sent: Sent[] = [];
  readonly arena = poisonedArena(64 * 1024 * 1024);
  readonly kept: KeptBytes;
  readonly queue: EnsembleQueue;
  readonly clock = new FakeClock();
  executed = 0;
  depth = 0;

  constructor(plan: EnsemblePlan, { maxInFlight = 8, maxBytes = 1e6 } = {}) {
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

  /** Answers a step by `value` out of a lane that is used again at once. */
  answer(one: Sent, value: (request: InferenceRequest, output: string) => number[]): void {
    one.answered = true;
    const outputs = one.request.outputs.map(({ name }) => bytes(name, value(one.request, name)));
    const id = { model: one.request.model, version: 1 };
    const run = { execution: 5, queueNs: 1, gatherNs: 2, dispatchNs: 3, computeNs: 4 };
    const rest = { batchRows: 1, paddingShare: 0, batchRequests: 1, device: -1, batchFinishedNs: 9 };
    one.request.trace?.admitted(0, '', 'default');
    one.request.trace?.ran({ ...run, ...rest });
    const response: InferenceResponse = {
      version: id,
      id: '',
      outputs,
      parameters: {},
      latency: LATENCY,
      batchRows: 1,
      paddingShare: 0,
      deviceNs: 10,
      cost: 0.5,
      mark: MARK,
    };
    one.reply.done(response);
    for (const { data } of outputs) data.fill(POISON);
  }

  fail(one: Sent, error = new ServingError('QUEUE_FULL', 'the queue is full', { retryAfterMs: 5 })): void {
    one.answered = true;
    one.reply.failed(error);
  }
}

/** What a step computes: a number that depends on the step and on all bytes it reads. */
function computed({ model, inputs }: InferenceRequest, output: string): number[] {
  let value = model.length * 7 + Number(output.slice(1)) + 1;
  for (const { name, data } of inputs) for (const byte of data) value = (value * 31 + byte + name.length) % 200;
  return [value, (value * 3) % 200];
}

const UINT8 = (name: string) => tensorSpec(name, 'UINT8', [-1]);

/** A graph of steps that each take some of what is there before them, all as models of their own. */
const randomEnsemble = fc
  .record({
    inputs: fc.integer({ min: 1, max: 3 }),
    steps: fc.array(
      fc.record({ takes: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), gives: fc.integer({ min: 1, max: 2 }) }),
      { minLength: 1, maxLength: 7 },
    ),
    asked: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
    order: fc.nat(),
  })
  .map(({ inputs, steps, asked, order }) => {
    const names = Array.from({ length: inputs }, (_, i) => `in${i}`);
    const given: string[] = [];
    const built: EnsembleStep[] = steps.map(({ takes, gives }, s) => {
      // The first steps use the inputs that nobody else may.
      const taken = [...new Set([...takes.map((t) => names[t % names.length] as string), ...(s === 0 ? names : [])])];
      const outputs = Array.from({ length: gives }, (_, g) => [`y${g}`, `t${s}_${g}`] as const);
      for (const [, name] of outputs) {
        names.push(name);
        given.push(name);
      }
      return {
        model: `m${s}`,
        version: undefined,
        inputs: new Map(taken.map((name, i) => [`x${i}`, name])),
        outputs: new Map(outputs),
      };
    });
    const outputs = [...new Set(asked.map((a) => given[a % given.length] as string))];
    // Where a step stands says nothing of when it runs.
    const turned = order % built.length;
    return { inputs, steps: [...built.slice(turned), ...built.slice(0, turned)], outputs };
  });

function planOf({
  inputs,
  steps,
  outputs,
}: {
  inputs: number;
  steps: EnsembleStep[];
  outputs: string[];
}): EnsemblePlan {
  const spec = modelSpec({
    id: { model: 'e', version: 1 },
    inputs: Array.from({ length: inputs }, (_, i) => UINT8(`in${i}`)),
    outputs: outputs.map(UINT8),
  });
  const members = new Map<string, ModelSpec>(
    steps.map((step) => [
      step.model,
      modelSpec({
        id: { model: step.model, version: 1 },
        inputs: [...step.inputs.keys()].map(UINT8),
        outputs: [...step.outputs.keys()].map(UINT8),
        batching: policy(),
      }),
    ]),
  );
  return planEnsemble(spec, steps, (model) => members.get(model));
}

/** The outputs, computed one step after the other. */
function expected({
  inputs,
  steps,
  outputs,
}: {
  inputs: number;
  steps: EnsembleStep[];
  outputs: string[];
}): number[][] {
  const values = new Map(Array.from({ length: inputs }, (_, i) => [`in${i}`, [i, 9]]));
  let left = steps;
  while (left.length > 0) {
    const ready = left.filter((step) => [...step.inputs.values()].every((name) => values.has(name)));
    for (const step of ready) {
      const given = [...step.inputs].map(([name, tensor]) => bytes(name, values.get(tensor) as number[]));
      for (const [output, tensor] of step.outputs)
        values.set(tensor, computed({ model: step.model, inputs: given } as unknown as InferenceRequest, output));
    }
    left = left.filter((step) => !ready.includes(step));
  }
  return outputs.map((name) => values.get(name) as number[]);
}

const inputsOf = (count: number) => Array.from({ length: count }, (_, i) => bytes(`in${i}`, [i, 9]));

describe('any ensemble', () => {
  it('sends each step once, when its tensors are there, and is answered once by what its steps compute', () => {
    fc.assert(
      fc.property(randomEnsemble, fc.array(fc.nat(), { minLength: 1, maxLength: 12 }), (ensemble, order) => {
        const world = new World(planOf(ensemble));
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
      }),
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
        async (ensemble, order, at, how) => {
          const world = new World(planOf(ensemble));
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
    const world = new World(planOf(DIAMOND), { maxBytes: 64 });
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
