import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { modelSpec, policy, tensorSpec } from '../../../test/support/specs.js';
import {
  type Batch,
  NO_DEADLINE,
  type SequencePart,
  type SequencePlan,
  ServingError,
  type Tensor,
} from '../../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from '../batcher/index.js';
import { Sequencer } from './index.js';

const US = 1000;
const STEP_NS = 50 * US;
const int = (name: string, values: readonly number[]): Tensor => ({
  name,
  dataType: 'INT32',
  shape: [values.length, 1],
  data: new Uint8Array(Int32Array.from(values).buffer),
});
const intOf = (tensor: Tensor | undefined) => new DataView((tensor as Tensor).data.slice().buffer).getInt32(0, true);

const SPEC = modelSpec({
  inputs: [tensorSpec('x', 'INT32', [1])],
  outputs: [tensorSpec('y', 'INT32', [1])],
  maxBatchSize: 4,
  batching: policy({ maxBatchSize: 4 }),
  decoupled: true,
});

const PLAN: SequencePlan = {
  strategy: 'oldest',
  slotsPerInstance: 4,
  maxIdleUs: 1000,
  controls: (['start', 'end'] as const).map((kind) => ({
    name: kind,
    kind,
    dataType: 'BOOL',
    falseData: Uint8Array.of(0),
    trueData: Uint8Array.of(1),
  })),
  states: [{ inputName: 'past', outputName: 'next', dataType: 'INT32', dims: [1], initial: int('past', [0]) }],
  maxStateBytes: 1024,
  iterative: { output: 'again', most: 20 },
};

/** A request that is run `runs` times: it counts down, and is answered by 0. */
class Counted implements QueueItem {
  readonly member;
  readonly key = '';
  readonly priority = 0;
  readonly timeoutUs = 0;
  readonly deadlineNs: number;
  readonly enqueuedNs: number;
  readonly sequence: SequencePart | undefined;
  readonly parts: number[] = [];
  readonly outcomes: MemberOutcome[] = [];
  answer: number | undefined;
  /** What its caller has not taken. */
  readonly untaken: (() => void)[] = [];

  constructor(
    runs: number,
    nowNs: number,
    more: { deadlineNs?: number; parts?: boolean; sequence?: SequencePart } = {},
  ) {
    this.enqueuedNs = nowNs;
    this.deadlineNs = more.deadlineNs ?? NO_DEADLINE;
    this.sequence = more.sequence;
    const inputs = [int('x', [runs])];
    const part = (outputs: readonly Tensor[], taken: () => void) => {
      this.parts.push(intOf(outputs[0]));
      expect(outputs).toHaveLength(1);
      this.untaken.push(taken);
    };
    this.member = more.parts === true ? { inputs, rows: 1, parts: { part } } : { inputs, rows: 1 };
  }

  settle(outcome: MemberOutcome): void {
    this.outcomes.push(outcome);
    if (outcome.kind === 'done') this.answer = intOf(outcome.outputs[0]);
  }

  take(): void {
    for (const taken of this.untaken.splice(0)) taken();
  }
}

class World {
  readonly clock = new FakeClock();
  /** Rows of each execution. */
  readonly batches: number[] = [];
  /** Told of each row: start, end. */
  readonly told: string[] = [];
  failing = false;
  readonly sequencer: Sequencer;

  constructor(changes: Partial<SequencePlan> = {}, instances = 1) {
    const plan = { ...PLAN, ...changes };
    const executor = () =>
      new FakeExecutor({
        clock: this.clock,
        cancelNs: 1,
        serviceNs: () => STEP_NS,
        compute: (batch) => this.#compute(batch),
      });
    this.sequencer = new Sequencer({
      spec: SPEC,
      plan,
      executors: Array.from({ length: instances }, executor),
      clock: this.clock,
      metrics: { executed: () => {}, setQueueDepth: () => {} },
      maxQueueSize: 100,
      open: (parts) => new Batcher({ ...parts, clock: this.clock }),
    });
  }

  #compute({ members }: Batch): readonly Tensor[] | ServingError {
    this.batches.push(members.length);
    if (this.failing) return new ServingError('BACKEND_FAILED', 'it failed');
    const left = members.map(({ inputs }) => {
      const at = (name: string) => inputs.find((input) => input?.name === name);
      const flag = (name: string) => at(name)?.data[0] === 1;
      this.told.push(`${flag('start') ? 'start' : '-'} ${flag('end') ? 'end' : '-'}`);
      return (flag('start') ? intOf(at('x')) : intOf(at('past'))) - 1;
    });
    const again = {
      name: 'again',
      dataType: 'BOOL',
      shape: [left.length, 1],
      data: Uint8Array.from(left, (n) => Number(n > 0)),
    } as const;
    return [int('y', left), int('next', left), again];
  }

  pass(us: number): void {
    this.clock.advanceTo(this.clock.nowNs() + us * US);
  }

  send(runs: number, more: ConstructorParameters<typeof Counted>[2] = {}): Counted {
    const item = new Counted(runs, this.clock.nowNs(), more);
    this.sequencer.enqueue(item);
    return item;
  }
}

describe('a request that its model asks to run again', () => {
  it('is answered by its last run, with the time of all', () => {
    const world = new World();
    const item = world.send(3);
    world.pass(1000);
    expect([item.answer, item.outcomes.length, world.batches]).toEqual([0, 1, [1, 1, 1]]);
    expect(item.outcomes[0]).toMatchObject({ kind: 'done', computeNs: 3 * STEP_NS, queueNs: 0 });
    expect(world.told).toEqual(['start -', '- -', '- -']);
    expect(world.sequencer.sequences()).toMatchObject({ slotsInUse: 0, begun: 1, ended: 1, idle: 0 });
  });

  it('shares its runs with requests that came later', () => {
    const world = new World();
    const first = world.send(10);
    world.pass(125);
    const second = world.send(4);
    world.pass(5000);
    expect([first.answer, second.answer]).toEqual([0, 0]);
    expect(world.batches).toEqual([1, 1, 1, 2, 2, 2, 2, 1, 1, 1]);
  });

  it('gives a response each run to a caller who takes several, and waits for one who is slow', () => {
    const world = new World({ iterative: { output: 'again', most: 100 } });
    const item = world.send(40, { parts: true });
    world.pass(10_000);
    expect(item.parts).toEqual(Array.from({ length: 16 }, (_, i) => 39 - i));
    item.take();
    world.pass(10_000);
    expect(item.parts).toHaveLength(32);
    item.take();
    world.pass(10_000);
    expect(item.parts).toEqual(Array.from({ length: 39 }, (_, i) => 39 - i));
    expect([item.answer, item.outcomes.length]).toEqual([0, 1]);
  });

  it.each<[string, (world: World, item: Counted) => void, string]>([
    ['its caller goes', (world, item) => world.sequencer.cancel(item), 'CLIENT_CANCELLED'],
    ['its deadline passes', (world) => world.pass(20_000), 'DEADLINE_EXCEEDED'],
    ['the drain is over', (world) => world.pass(20_000), 'DRAINING'],
  ])('ends where %s while its responses are not taken', async (_, end, reason) => {
    const world = new World({ iterative: { output: 'again', most: 100 } });
    const more = { parts: true, ...(reason === 'DEADLINE_EXCEEDED' ? { deadlineNs: 15_000 * US } : {}) };
    const item = world.send(40, more);
    world.pass(10_000);
    const drained = reason === 'DRAINING' ? world.sequencer.drain(5) : undefined;
    end(world, item);
    await drained;
    expect(item.outcomes).toMatchObject([{ kind: 'failed', error: { reason } }]);
    item.take();
    world.pass(10_000);
    expect(item.parts).toHaveLength(16);
    expect(world.sequencer.sequences()).toMatchObject({ slotsInUse: 0, backlog: 0, idle: 0 });
  });

  it('fails where it does not come to an end', () => {
    const world = new World();
    const item = world.send(21);
    world.pass(10_000);
    expect(item.outcomes).toMatchObject([{ kind: 'failed', error: { reason: 'BACKEND_FAILED' } }]);
    expect((item.outcomes[0] as { error: ServingError }).error.message).toMatch(/run 20 times .* \(max_iterations\)/);
    expect([world.batches.length, world.sequencer.sequences().slotsInUse]).toEqual([20, 0]);
  });

  it('of a sequence goes before what came after it, and leaves its state to that', () => {
    const world = new World();
    const sequence = (start: boolean, end: boolean) => ({ sequence: { id: 7, start, end } });
    const first = world.send(3, sequence(true, false));
    const second = world.send(5, sequence(true, true));
    world.pass(10_000);
    expect([first.answer, second.answer, world.batches.length]).toEqual([0, 0, 8]);
    expect(world.told.slice(3, 5)).toEqual(['start end', '- -']);
    expect(() => world.send(1, sequence(false, false))).toThrow(/must specify the START flag/);
  });
});

describe('any requests that are run again', () => {
  const event = fc.record({
    what: fc.constantFrom('send', 'send', 'cancel', 'take', 'pass', 'pass', 'fail', 'lines'),
    of: fc.nat(),
    runs: fc.integer({ min: 1, max: 25 }),
    parts: fc.boolean(),
    deadline: fc.boolean(),
  });

  it('are each answered once, by the run that asks for no other, and leave no slot behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 40 }),
        fc.constantFrom('direct', 'oldest'),
        fc.integer({ min: 1, max: 2 }),
        async (events, strategy, instances) => {
          const world = new World({ strategy: strategy as SequencePlan['strategy'] }, instances);
          const sent: { readonly item: Counted; readonly runs: number }[] = [];
          for (const { what, of, runs, parts, deadline } of events) {
            const one = sent[of % Math.max(sent.length, 1)]?.item;
            if (what === 'send') {
              const deadlineNs = deadline ? world.clock.nowNs() + (of % 900) * US + US : NO_DEADLINE;
              sent.push({ item: world.send(runs, { parts, deadlineNs }), runs });
            } else if (what === 'cancel' && one !== undefined) world.sequencer.cancel(one);
            else if (what === 'take') one?.take();
            else if (what === 'pass') world.pass(of % 400);
            else if (what === 'fail') world.failing = of % 3 === 0;
            else if (what === 'lines' && of % 5 === 0)
              world.sequencer.failWaiting(new ServingError('OVERLOADED', 'full'));
          }
          world.failing = false;
          for (let turn = 0; turn < 3; turn++) {
            world.pass(50_000);
            for (const { item } of sent) item.take();
          }
          world.pass(200_000);
          for (const { item, runs } of sent) {
            expect(item.outcomes).toHaveLength(1);
            expect(item.parts).toEqual(item.parts.map((_, i) => runs - 1 - i));
            if (item.outcomes[0]?.kind !== 'done') continue;
            expect([item.answer, runs <= 20]).toEqual([0, true]);
            if (item.member.parts !== undefined) expect(item.parts).toHaveLength(runs - 1);
          }
          expect(world.sequencer.sequences()).toMatchObject({ slotsInUse: 0, backlog: 0, idle: 0 });
          expect(world.sequencer.depth).toBe(0);
          await world.sequencer.drain(0);
        },
      ),
      { numRuns: 1500 },
    );
  }, 60_000);
});
