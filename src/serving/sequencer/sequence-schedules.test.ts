import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { type Random, seeded } from '../../../test/support/seeded-random.js';
import {
  type SeenRow,
  textInput,
  textInstance,
  textOf,
  textPlan,
  textSpecOf,
} from '../../../test/support/sequence-model.js';
import { NO_DEADLINE, ServingError } from '../../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from '../batcher/index.js';
import { Sequencer } from './index.js';

const SCHEDULES = 2000;
const PARTS = 4;
const US = 1000;

describe('thousands of random schedules of sequences', () => {
  for (let part = 0; part < PARTS; part++) {
    it(`keep order and state, share no slot and lose no answer (part ${part + 1})`, { timeout: 120_000 }, async () => {
      let answers = 0;
      for (let i = 0; i < SCHEDULES / PARTS; i++) answers += (await run(part * 1_000_000 + i)).length;
      // A generator that makes no requests would pass everything else.
      expect(answers).toBeGreaterThan((SCHEDULES / PARTS) * 10);
    });
  }

  it('are the same again from the same seed', async () => {
    for (let seed = 0; seed < 100; seed++) expect(await run(seed)).toEqual(await run(seed));
  });

  it('reach every kind of outcome', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 400; seed++) for (const line of await run(seed)) seen.add(line.split(' ')[1] as string);
    expect([...seen].sort()).toEqual([
      'BACKEND_FAILED',
      'CLIENT_CANCELLED',
      'CONFLICT',
      'DEADLINE_EXCEEDED',
      'DRAINING',
      'EXECUTOR_LOST',
      'MALFORMED_REQUEST',
      'QUEUE_FULL',
      'done',
    ]);
  });
});

/** A sequence from one START to the next, as its client sees it. */
interface Told {
  readonly id: number;
  /** What was sent, in order, and of it what was answered well. */
  readonly sent: string[];
  readonly done: string[];
}

interface Sent extends QueueItem {
  outcomes: number;
}

/** Runs one schedule, checking as it goes; what became of each request, as text. */
async function run(seed: number): Promise<string[]> {
  const random = seeded(seed);
  const chance = (share: number) => random() < share;
  const clock = new FakeClock();
  const kept = chance(0.5);
  const direct = chance(0.5);
  const maxBatchSize = direct ? pick(random, [1, 3, 4]) : pick(random, [1, 4, 8]);
  const slotsPerInstance = direct ? maxBatchSize : pick(random, [1, 2, 5]);
  const instances = pick(random, [1, 1, 2, 3]);
  const maxQueueSize = pick(random, [2, 6, 30]);
  const failing = pick(random, [0, 0, 0.1, 0.3]);
  const losing = chance(0.3) ? 0.05 : 0;
  const spec = textSpecOf(maxBatchSize);
  // What is thrown in a callback of the queue would be taken for its own fault.
  const deepest: number[] = [];
  const faults: unknown[] = [];
  const checked = (check: () => void) => {
    try {
      check();
    } catch (thrown) {
      faults.push(thrown);
    }
  };
  const plan = textPlan({ strategy: direct ? 'direct' : 'oldest', slotsPerInstance, maxIdleUs: 300 }, kept);
  const sequencer: Sequencer = new Sequencer({
    spec,
    plan,
    executors: Array.from({ length: instances }, () =>
      textInstance({
        clock,
        kept,
        byRow: direct && !kept,
        serviceNs: () => (10 + Math.floor(random() * 90)) * US,
        fails: () => {
          if (random() < losing) return new ServingError('EXECUTOR_LOST', 'lost');
          return random() < failing ? new ServingError('BACKEND_FAILED', 'failed') : undefined;
        },
        saw: (rows) => checked(() => checkRows(rows, slotsPerInstance)),
      }),
    ),
    clock,
    metrics: { executed: () => {}, setQueueDepth: (depth) => deepest.push(depth) },
    maxQueueSize,
    open: (parts) => new Batcher({ ...parts, clock }),
  });

  const trace: string[] = [];
  const told = new Map<number, Told>();
  const open = new Set<Sent>();
  let requests = 0;

  /** Nobody goes on with a sequence: what comes of it next begins it, or is refused. */
  const leave = (id: number) => {
    const gone: QueueItem = {
      member: { inputs: [], rows: 0 },
      key: '',
      priority: 0,
      timeoutUs: 0,
      deadlineNs: NO_DEADLINE,
      enqueuedNs: 0,
      sequence: { id, start: false, end: true },
      settle: ({ kind }) => checked(() => expect(kind).toBe('failed')),
    };
    sequencer.enqueue(gone);
  };

  const send = (id: number, start: boolean, end: boolean, deadlineNs: number) => {
    const name = `${id}.${++requests}`;
    let own: Told | undefined = start ? { id, sent: [], done: [] } : told.get(id);
    const item: Sent = {
      member: { inputs: [textInput(name)], rows: 1 },
      key: '',
      priority: 0,
      timeoutUs: 0,
      deadlineNs,
      enqueuedNs: clock.nowNs(),
      sequence: { id, start, end },
      outcomes: 0,
      settle: (outcome: MemberOutcome) => {
        open.delete(item);
        checked(() => expect(++item.outcomes).toBe(1));
        trace.push(`${name} ${outcome.kind === 'done' ? 'done' : outcome.error.reason}`);
        if (outcome.kind === 'failed') return;
        const { outputs } = outcome;
        checked(() => checkAnswer(own as Told, name, textOf(outputs[0]), kept));
        checked(() => expect(outputs).toHaveLength(1));
      },
    };
    open.add(item);
    const before = told.get(id);
    if (start) told.set(id, own as Told);
    own?.sent.push(name);
    try {
      sequencer.enqueue(item);
    } catch (thrown) {
      open.delete(item);
      expect(item.outcomes).toBe(0);
      own?.sent.pop();
      if (start && before !== undefined) told.set(id, before);
      else if (start) told.delete(id);
      own = undefined;
      trace.push(`${name} ${(thrown as ServingError).reason}`);
    }
  };

  const steps = 20 + Math.floor(random() * 40);
  for (let step = 0; step < steps; step++) {
    const what = random();
    if (what < 0.65) {
      const deadlineNs = chance(0.15) ? clock.nowNs() + Math.floor(random() * 150) * US + 1 : NO_DEADLINE;
      send(1 + Math.floor(random() * 8), chance(0.3), chance(0.2), deadlineNs);
    } else if (what < 0.7 && open.size > 0) sequencer.cancel(pick(random, [...open]));
    else if (what < 0.71) leave(1 + Math.floor(random() * 8));
    else if (what < 0.72) sequencer.failWaiting(new ServingError('EXECUTOR_LOST', 'no lane'));
    else clock.advance(Math.floor(random() * (chance(0.1) ? 500 : 60)) * US);
    const { sequences } = sequencer.report();
    expect(sequences?.slotsInUse).toBeLessThanOrEqual(instances * slotsPerInstance);
    expect(clock.timers).toBeLessThan(20);
  }
  const drained = sequencer.drain(chance(0.5) ? 0.05 : 100);
  clock.advance(200_000 * US);
  await drained;
  expect(faults).toEqual([]);
  expect(Math.max(0, ...deepest)).toBeLessThanOrEqual(maxQueueSize);
  expect(open.size).toBe(0);
  expect(sequencer.depth).toBe(0);
  const { sequences } = sequencer.report();
  expect(sequences).toMatchObject({ slotsInUse: 0, backlog: 0, idle: 0, stateBytes: 0 });
  return trace;
}

/** What a model is given: never two requests of one sequence, never more sequences than slots. */
function checkRows(rows: readonly SeenRow[], slots: number): void {
  const ready = rows.filter((row) => row.ready);
  expect(new Set(ready.map(({ id }) => id)).size).toBe(ready.length);
  expect(ready.length).toBeLessThanOrEqual(slots);
  for (const { ready: set, start, end, x, id } of rows) if (!set) expect({ start, end, x, id }).toEqual(NOBODY);
}

const NOBODY = { start: false, end: false, x: '', id: 0 };

/**
 * The answer names what the sequence was told so far. State that the server keeps: exactly what was answered well, in order.
 * State of the model's own: that, and perhaps what was answered with an error after the model had taken it.
 */
function checkAnswer({ sent, done }: Told, name: string, answer: string, kept: boolean): void {
  const names = answer.split(' ');
  if (kept) expect(names).toEqual([...done, name]);
  else {
    expect(sent.filter((one) => names.includes(one))).toEqual(names);
    expect(names.filter((one) => done.includes(one))).toEqual(done);
    expect(names.at(-1)).toBe(name);
  }
  done.push(name);
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}
