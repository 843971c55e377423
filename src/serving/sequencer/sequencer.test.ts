import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import type { FakeExecutor } from '../../../test/support/fake-executor.js';
import {
  type SeenRow,
  textInput,
  textInstance,
  textOf,
  textPlan,
  textSpecOf,
} from '../../../test/support/sequence-model.js';
import { NO_DEADLINE, type SequenceId, type SequencePlan, ServingError } from '../../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from '../batcher/index.js';
import { Sequencer } from './index.js';

const US = 1000;

interface SetupOptions {
  readonly plan?: Partial<SequencePlan>;
  /** The server keeps the state; default true. */
  readonly kept?: boolean;
  readonly instances?: number;
  readonly maxBatchSize?: number;
  readonly maxQueueSize?: number;
  readonly fails?: (rows: readonly SeenRow[]) => ServingError | undefined;
}

/** A model whose executions take 10 us and answer with all that the sequence was told: `a b c`. */
function setup(options: SetupOptions = {}) {
  const { kept = true, instances = 1, maxBatchSize = 4, maxQueueSize = 100, fails } = options;
  const clock = new FakeClock();
  const plan = textPlan({ maxIdleUs: 1000, ...options.plan }, kept);
  const seen: SeenRow[][] = [];
  const executors = Array.from({ length: instances }, () =>
    textInstance({
      clock,
      kept,
      byRow: plan.strategy === 'direct' && !kept,
      serviceNs: () => 10 * US,
      saw: (rows) => seen.push([...rows]),
      ...(fails === undefined ? {} : { fails }),
    }),
  );
  const sequencer = new Sequencer({
    spec: textSpecOf(maxBatchSize),
    plan,
    executors,
    clock,
    metrics: { executed: () => {}, setQueueDepth: () => {} },
    maxQueueSize,
    open: (parts) => new Batcher({ ...parts, clock }),
  });
  const answers: Record<string, string> = {};
  const itemOf = (
    x: string,
    id: SequenceId | undefined,
    flags = '',
    deadlineNs = NO_DEADLINE,
    rows = 1,
  ): QueueItem => ({
    member: { inputs: [textInput(x)], rows },
    key: '',
    priority: 0,
    timeoutUs: 0,
    deadlineNs,
    enqueuedNs: clock.nowNs(),
    ...(id === undefined ? {} : { sequence: { id, start: flags.includes('S'), end: flags.includes('E') } }),
    settle: (outcome: MemberOutcome) => {
      answers[x] = outcome.kind === 'done' ? textOf(outcome.outputs[0]) : outcome.error.reason;
      if (outcome.kind === 'done') expect(outcome.outputs.map(({ name }) => name)).toEqual(['y']);
    },
  });
  const send = (...args: Parameters<typeof itemOf>): QueueItem => {
    const item = itemOf(...args);
    sequencer.enqueue(item);
    return item;
  };
  const xs = () => seen.map((rows) => rows.map(({ ready, x }) => (ready ? x : '-')).join(' '));
  return { clock, sequencer, answers, send, itemOf, seen, xs, executors: executors as FakeExecutor[] };
}

const refusal = (call: () => unknown): string => {
  try {
    call();
  } catch (thrown) {
    if (thrown instanceof ServingError) return `${thrown.reason}: ${thrown.message}`;
    throw thrown;
  }
  return 'taken';
};

describe('a request', () => {
  it('of no sequence is refused in the words of Triton', () => {
    const { send } = setup();
    expect(refusal(() => send('a', undefined))).toBe(
      "MALFORMED_REQUEST: inference request to model 'm' must specify a non-zero or non-empty correlation ID",
    );
  });

  it('of a sequence that has not begun, or has ended, is refused in the words of Triton', () => {
    const { send, clock } = setup();
    const words =
      "MALFORMED_REQUEST: inference request for sequence 7 to model 'm' must specify the START flag on the first request of the sequence";
    expect(refusal(() => send('a', 7))).toBe(words);
    send('b', 7, 'SE');
    expect(refusal(() => send('c', 7))).toBe(words);
    clock.advance(100 * US);
    expect(refusal(() => send('d', 7, 'E'))).toBe(words);
  });

  it('of several rows is refused', () => {
    const { send } = setup();
    expect(refusal(() => send('a', 7, 'S', NO_DEADLINE, 2))).toMatch(/SHAPE_MISMATCH.*batch-size 1/);
  });

  it('whose id the model cannot be told is refused, and begins nothing', () => {
    const { send, sequencer } = setup();
    expect(refusal(() => send('a', 'seven', 'S'))).toMatch(/MALFORMED_REQUEST.*integer.*'CORRID' is UINT64.*string/);
    expect(sequencer.report().sequences).toMatchObject({ slotsInUse: 0, begun: 0 });
  });

  it('is refused where as many wait as may', () => {
    const { send } = setup({ maxQueueSize: 2, plan: { slotsPerInstance: 1 } });
    send('a', 1, 'S');
    send('b', 1);
    send('c', 2, 'S');
    expect(refusal(() => send('d', 3, 'S'))).toMatch(/QUEUE_FULL/);
  });
});

describe('a sequence', () => {
  it('is answered in order, its state kept for it alone', () => {
    const { send, clock, answers } = setup();
    for (const x of ['a', 'b', 'c']) {
      send(`1${x}`, 1, x === 'a' ? 'S' : x === 'c' ? 'E' : '');
      send(`2${x}`, 'two'.length, x === 'a' ? 'S' : '');
    }
    clock.advance(100 * US);
    expect(answers).toMatchObject({ '1c': '1a 1b 1c', '2c': '2a 2b 2c' });
  });

  it('that begins anew while it is alive forgets what it was told', () => {
    const { send, clock, answers, sequencer } = setup();
    send('a', 1, 'S');
    send('b', 1);
    send('c', 1, 'S');
    send('d', 1);
    clock.advance(100 * US);
    expect(answers).toMatchObject({ b: 'a b', c: 'c', d: 'c d' });
    expect(sequencer.report().sequences).toMatchObject({ begun: 2, restarted: 1, slotsInUse: 1, idle: 1 });
  });

  it('that begins under the id of one that has ended waits for that one, so that the model never meets both', () => {
    const { send, clock, xs } = setup({ kept: false });
    send('a', 1, 'S');
    send('b', 1, 'E');
    send('c', 1, 'S');
    clock.advance(100 * US);
    expect(xs()).toEqual(['a', 'b', 'c']);
  });

  it('without a request for too long loses its slot and its state', () => {
    const { send, clock, sequencer } = setup();
    send('a', 1, 'S');
    clock.advance(1000 * US);
    expect(sequencer.report().sequences).toMatchObject({ slotsInUse: 1, idle: 1, stateBytes: 5 });
    send('b', 1);
    clock.advance(900 * US);
    expect(sequencer.report().sequences?.expired).toBe(0);
    clock.advance(200 * US);
    expect(sequencer.report().sequences).toMatchObject({ slotsInUse: 0, stateBytes: 0, expired: 1 });
    expect(refusal(() => send('c', 1))).toMatch(/START flag/);
    expect(clock.timers).toBe(0);
  });

  it('waits for a slot in the order that it began, and takes that of one that ends or is idle for too long', () => {
    const { send, clock, answers, sequencer } = setup({ plan: { slotsPerInstance: 1 } });
    send('a', 1, 'S');
    send('b', 2, 'S');
    send('b2', 2, 'E');
    send('c', 3, 'SE');
    clock.advance(500 * US);
    expect(answers).toEqual({ a: 'a' });
    expect(sequencer.report().sequences).toMatchObject({ backlog: 2 });
    send('a2', 1, 'E');
    clock.advance(15 * US);
    expect(answers).toEqual({ a: 'a', a2: 'a a2' });
    clock.advance(100 * US);
    expect(answers).toMatchObject({ b: 'b', b2: 'b b2', c: 'c' });
  });

  it('goes on after a request that failed, with the state from before it', () => {
    const failed = new ServingError('BACKEND_FAILED', 'failed');
    const { send, clock, answers } = setup({ fails: (rows) => (rows.some(({ x }) => x === 'b') ? failed : undefined) });
    send('a', 1, 'S');
    send('b', 1);
    send('c', 1);
    clock.advance(100 * US);
    expect(answers).toEqual({ a: 'a', b: 'BACKEND_FAILED', c: 'a c' });
  });

  it('has not begun where its first request failed: what waits behind is told so', () => {
    const failed = new ServingError('BACKEND_FAILED', 'failed');
    const { send, clock, answers, sequencer } = setup({
      fails: (rows) => (rows.some(({ x }) => x === 'a') ? failed : undefined),
    });
    send('a', 1, 'S');
    send('b', 1);
    clock.advance(100 * US);
    expect(answers).toEqual({ a: 'BACKEND_FAILED', b: 'CONFLICT' });
    expect(refusal(() => send('c', 1))).toMatch(/START flag/);
    expect(sequencer.report().sequences).toMatchObject({ slotsInUse: 0, broken: 1 });
  });

  it('ends with a request that is cancelled, as in Triton', () => {
    const { send, sequencer, clock, answers } = setup();
    send('a', 1, 'S');
    clock.advance(20 * US);
    send('b', 1);
    const cancelled = send('c', 1);
    send('d', 1);
    sequencer.cancel(cancelled);
    clock.advance(100 * US);
    expect(answers).toEqual({ a: 'a', b: 'a b', c: 'CLIENT_CANCELLED', d: 'CLIENT_CANCELLED' });
    expect(refusal(() => send('e', 1))).toMatch(/START flag/);
  });

  it('ends with a request of no rows, which is not run', () => {
    const { send, sequencer, clock, answers, seen } = setup();
    send('a', 1, 'S');
    clock.advance(20 * US);
    send('gone', 1, 'E', NO_DEADLINE, 0);
    send('never was', 2, 'E', NO_DEADLINE, 0);
    expect(answers).toEqual({ a: 'a', gone: 'CLIENT_CANCELLED', 'never was': 'CLIENT_CANCELLED' });
    expect(sequencer.report().sequences).toMatchObject({ slotsInUse: 0, broken: 1 });
    expect(seen).toHaveLength(1);
    expect(clock.timers).toBeLessThan(2);
  });

  it('leaves out a request whose deadline passes before its turn', () => {
    const { send, clock, answers } = setup();
    send('a', 1, 'S');
    send('b', 1, '', clock.nowNs() + 5 * US);
    send('c', 1, 'E');
    clock.advance(100 * US);
    expect(answers).toEqual({ a: 'a', b: 'DEADLINE_EXCEEDED', c: 'a c' });
  });

  it('is over with its last request, even where that came too late to run', () => {
    const { send, clock, answers, sequencer } = setup();
    send('a', 1, 'S');
    send('b', 1, 'E', clock.nowNs() + 5 * US);
    clock.advance(100 * US);
    expect(answers).toEqual({ a: 'a', b: 'DEADLINE_EXCEEDED' });
    expect(sequencer.report().sequences).toMatchObject({ slotsInUse: 0 });
  });

  it('whose state the model kept is over where its instance is lost', () => {
    let lose = false;
    const { send, clock, answers } = setup({
      kept: false,
      fails: () => (lose ? new ServingError('EXECUTOR_LOST', 'lost') : undefined),
    });
    send('a', 1, 'S');
    send('b', 2, 'S');
    clock.advance(20 * US);
    lose = true;
    send('a2', 1);
    clock.advance(20 * US);
    expect(answers).toMatchObject({ a2: 'EXECUTOR_LOST' });
    expect(refusal(() => send('a3', 1))).toMatch(/START flag/);
    expect(refusal(() => send('b2', 2))).toMatch(/START flag/);
  });

  it('may keep so many bytes of state', () => {
    const { send, clock, answers } = setup({ plan: { maxStateBytes: 8 } });
    send('abcd', 1, 'S');
    send('e', 1);
    clock.advance(100 * US);
    expect(answers).toEqual({ abcd: 'abcd', e: 'OUTPUT_SHAPE_MISMATCH' });
  });
});

describe('batches', () => {
  it('of the oldest strategy have the next request of each sequence, gathered when the one before is answered', () => {
    const { send, clock, xs } = setup();
    for (const id of [1, 2, 3]) for (const x of ['a', 'b', 'c']) send(`${id}${x}`, id, x === 'a' ? 'S' : '');
    clock.advance(100 * US);
    expect(xs()).toEqual(['1a', '2a 3a 1b', '2b 3b 1c', '2c 3c']);
  });

  it('of the direct strategy have a row for each slot, those without a request marked as not ready', () => {
    const { send, clock, xs, answers, seen } = setup({ kept: false, plan: { strategy: 'direct' } });
    for (const id of [1, 2, 3]) send(`${id}a`, id, 'S');
    clock.advance(100 * US);
    send('3b', 3);
    clock.advance(20 * US);
    send('2b', 2, 'E');
    send('1b', 1);
    clock.advance(100 * US);
    send('4a', 4, 'S');
    send('3c', 3);
    clock.advance(100 * US);
    expect(xs()).toEqual(['1a', '- 2a 3a', '- - 3b', '- 2b', '1b', '- 4a', '- - 3c']);
    expect(answers).toMatchObject({ '3c': '3a 3b 3c', '2b': '2a 2b', '4a': '4a' });
    expect(seen[2]?.[0]).toEqual({ x: '', start: false, end: false, ready: false, id: 0 });
  });

  it('keep a sequence on its instance', () => {
    const { send, clock, executors } = setup({ kept: false, instances: 2, plan: { slotsPerInstance: 2 } });
    for (const x of ['a', 'b', 'c']) {
      for (const id of [1, 2, 3, 4]) send(`${id}${x}`, id, x === 'a' ? 'S' : '');
      clock.advance(50 * US);
    }
    const ids = executors.map(({ executions }) =>
      executions.flatMap(({ batch }) => batch.members.map(({ inputs }) => textOf(inputs[0])[0])),
    );
    expect(ids.map((one) => [...new Set(one)].sort())).toEqual([
      ['1', '3'],
      ['2', '4'],
    ]);
  });
});

describe('draining', () => {
  it('answers what was taken, ends what is idle, and takes no more', async () => {
    const { send, clock, answers, sequencer } = setup({ plan: { slotsPerInstance: 1 } });
    send('a', 1, 'S');
    send('b', 2, 'SE');
    const drained = sequencer.drain(1000);
    expect(refusal(() => send('c', 1))).toMatch(/DRAINING/);
    clock.advance(100 * US);
    await drained;
    expect(answers).toEqual({ a: 'a', b: 'b' });
    expect(clock.timers).toBe(0);
  });
});

describe('requests apart', () => {
  it('are each a sequence of their own', () => {
    const { sequencer, itemOf, clock, answers, seen } = setup();
    for (const x of ['a', 'b']) sequencer.apart.enqueue(itemOf(x, undefined));
    clock.advance(100 * US);
    expect(answers).toEqual({ a: 'a', b: 'b' });
    expect(seen.flat().every(({ start, end, id }) => start && end && id === 0)).toBe(true);
  });
});
