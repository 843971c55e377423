import { MessageChannel, type MessagePort } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { modelSpec, tensorSpec } from '../../../test/support/specs.js';
import {
  Charges,
  ENSEMBLE_PLATFORM,
  type Lease,
  type ModelSpec,
  NO_DEADLINE,
  type RequestOrigin,
  type SequencePart,
  ServingError,
  SHADOW_COPY,
  type Tensor,
  UNROUTED,
} from '../../core/index.js';
import { Arena } from '../arena/index.js';
import type { MemberDone, MemberOutcome, QueueItem, RequestQueue } from '../batcher/index.js';
import { Tenants } from '../dataplane/index.js';
import { CallReceiver } from './call-receiver.js';
import { CallSender } from './call-sender.js';
import { callMemory } from './call-table.js';

const FIXED = modelSpec();
const VARIED = modelSpec({
  inputs: [tensorSpec('text', 'BYTES', [-1]), tensorSpec('mask', 'UINT8', [-1, 2], { optional: true })],
  outputs: [tensorSpec('y', 'BYTES', [-1]), tensorSpec('z', 'FP32', [3])],
});
const STEPS = modelSpec({ id: { model: 'steps', version: 1 }, platform: ENSEMBLE_PLATFORM });
const WIDE = modelSpec({ inputs: Array.from({ length: 15 }, (_, i) => tensorSpec(`x${i}`, 'INT8', [3])) });

const SPECS = [FIXED, VARIED, WIDE, STEPS];

/** What a batcher would hold: settled by hand. */
class HandQueue implements RequestQueue {
  readonly waiting: QueueItem[] = [];
  full = false;

  enqueue(item: QueueItem): void {
    if (this.full) throw new ServingError('QUEUE_FULL', 'full', { retryAfterMs: 70 });
    this.waiting.push(item);
  }

  cancel(item: QueueItem): void {
    const at = this.waiting.indexOf(item);
    if (at < 0) return;
    this.waiting.splice(at, 1);
    item.settle({ kind: 'failed', error: new ServingError('CLIENT_CANCELLED', 'cancelled'), execution: 0 });
  }

  take(): QueueItem {
    return this.waiting.shift() as QueueItem;
  }
}

/** A request, with what became of it. */
class Asked implements QueueItem {
  readonly member: QueueItem['member'];
  readonly key = '';
  readonly priority = 2;
  readonly timeoutUs = 1500;
  readonly deadlineNs = NO_DEADLINE;
  readonly enqueuedNs = 12_345;
  readonly outcomes: string[] = [];
  origin?: RequestOrigin;
  sequence?: SequencePart;
  onSettled: (outcome: MemberOutcome) => void = () => {};

  constructor(inputs: readonly (Tensor | undefined)[], rows: number, lease?: Lease) {
    this.member = { inputs, rows, lease };
  }

  settle(outcome: MemberOutcome): void {
    // Outputs are read at once: their memory is the next call's after this.
    this.outcomes.push(
      outcome.kind === 'failed'
        ? `${outcome.execution} ${outcome.error.reason} ${outcome.error.message} ${outcome.error.retryAfterMs} ${outcome.error.cause ?? ''}`
        : outcome.outputs
            .map(({ name, shape, data }) => `${name}[${shape}]=${Buffer.from(data).toString('hex')}`)
            .join(),
    );
    this.onSettled(outcome);
  }
}

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

const tenants = new Tenants({ weights: { gold: 4 }, maxUnlisted: 4 });
const tenantNamed = (name: string, nowNs: number) => tenants.named(name, nowNs);

function pair(rows = 8, arenaBytes = 6 * 2 ** 24) {
  const { port1, port2 } = new MessageChannel();
  const lines = new MessageChannel();
  ports.push(port1, port2, lines.port1, lines.port2);
  const memory = callMemory(rows);
  const clock = new FakeClock();
  const arena = new Arena({ memory: new Uint8Array(new SharedArrayBuffer(arenaBytes)), clock, poison: 0xee });
  let wakes = 0;
  const sender = new CallSender({ memory, arena, beside: port1, responses: lines.port1, wake: () => wakes++ });
  const receiver = new CallReceiver({
    memory,
    slots: arena.buffer,
    beside: port2,
    responses: lines.port2,
    wake: () => {},
    tenantNamed,
    charges: new Charges(),
  });
  const queue = new HandQueue();
  for (const [i, spec] of SPECS.entries()) receiver.add(i, spec, queue);
  const queues = SPECS.map((spec: ModelSpec, i) => sender.queueOf(i, spec));
  return { sender, receiver, arena, queue, queues };
}

function done(outputs: readonly Tensor[]): MemberDone {
  return {
    kind: 'done',
    outputs,
    queueNs: 1,
    gatherNs: 2,
    dispatchNs: 3,
    computeNs: 4,
    batchRows: 5,
    batchRequests: 3,
    device: 2,
    paddingShare: 0.5,
    batchFinishedNs: 6,
    execution: 7,
    deviceNs: 8,
    cost: 9,
  };
}

const tensor = (name: string, dataType: Tensor['dataType'], shape: readonly number[], data: Uint8Array): Tensor => ({
  name,
  dataType,
  shape,
  data,
});

/** Requests of three kinds of spec, told apart by `seed`; some in the arena, as the transport leaves them. */
function inputsOf(kind: number, rows: number, seed: number): (Tensor | undefined)[] {
  const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (seed + i) % 251);
  if (kind === 0) return [tensor('x', 'FP32', [rows, 2], bytes(rows * 8))];
  if (kind === 2) return WIDE.inputs.map(({ name }) => tensor(name, 'INT8', [rows, 3], bytes(rows * 3)));
  const mask = seed % 2 === 0 ? undefined : tensor('mask', 'UINT8', [rows, 5, 2], bytes(rows * 10));
  return [tensor('text', 'BYTES', [rows, 1], bytes(rows * 7)), mask];
}

const shown = (inputs: readonly (Tensor | undefined)[]) =>
  inputs.map((input) => input && `${input.name}[${input.shape}]=${Buffer.from(input.data).toString('hex')}`).join();

function outputsOf(kind: number, rows: number, seed: number): Tensor[] {
  const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (seed * 7 + i) % 251);
  if (kind !== 1) return [tensor('y', 'FP32', [rows, 2], bytes(rows * 8))];
  return [tensor('y', 'BYTES', [rows, 2], bytes(rows * 9)), tensor('z', 'FP32', [rows, 3], bytes(rows * 12))];
}

describe('calls between two threads', () => {
  it('carry under what a request is booked, beside its tenant, and what it cost', () => {
    const { sender, receiver, queue, queues } = pair();
    const own = new Tenants({ weights: { gold: 4 }, maxUnlisted: 2 });
    const routes = new Charges();
    routes.of('of another version', 'direct');
    const charges = [
      routes.of('eu', 'direct'),
      routes.of('next', 'canary'),
      SHADOW_COPY,
      undefined,
      routes.of('eu', 'direct'),
      routes.of('eu', 'canary'),
    ];
    for (const [i, charge] of charges.entries()) {
      const asked = new Asked(inputsOf(2, 1, i), 1);
      const outcomes: MemberOutcome[] = [];
      asked.onSettled = (outcome) => outcomes.push(outcome);
      const name = ['', 'gold', 'a'][i % 3] as string;
      const tenant = own.named(name, i);
      queues[2]?.enqueue(Object.assign(asked, { tenant, ...(charge && { charge }) }));
      receiver.take();
      const item = queue.take();
      const { route, kind } = charge ?? UNROUTED;
      expect(item.charge).toMatchObject({ route, kind });
      expect(item.tenant?.name).toBe(name);
      const cost = i % 2 === 0 ? 1e-9 * i : undefined;
      item.settle({ ...done(outputsOf(2, 1, i)), cost });
      sender.deliver();
      expect(outcomes[0]).toMatchObject({ kind: 'done', deviceNs: 8, cost });
    }
  });

  it('carry whom a request is for and how much it matters, also while names come and go', () => {
    const { sender, receiver, queue, queues } = pair();
    const own = new Tenants({ weights: { gold: 4 }, maxUnlisted: 2 });
    const known = ['', 'gold', 'a', 'b', '(others)', 'a', 'late', 'a', '(others)'];
    for (const [i, name] of ['', 'gold', 'a', 'b', 'c', 'a', 'late', 'a', 'b'].entries()) {
      const asked = new Asked(inputsOf(2, 1, i), 1);
      // The thread forgets a name after a minute: its place is another one's then.
      const tenant = own.named(name, i < 6 ? i : 90e9 + i);
      queues[2]?.enqueue(Object.assign(asked, { tenant, criticality: i % 5 }));
      receiver.take();
      const item = queue.take();
      expect([item.tenant?.name, item.criticality]).toEqual([known[i], i % 5]);
      if (name === 'gold') expect(item.tenant?.weight).toBe(4);
      item.settle(done(outputsOf(2, 1, i)));
      sender.deliver();
    }
  });

  it('are settled exactly once, each with its own tensors, whatever the order of things', () => {
    const step = fc.record({
      what: fc.constantFrom(
        'send',
        'send',
        'send',
        'cancel',
        'take',
        'deliver',
        'answer',
        'fail',
        'hold',
        'let go',
        'fill',
      ),
      kind: fc.nat(2),
      rows: fc.integer({ min: 1, max: 4 }),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const { sender, receiver, arena, queue, queues } = pair();
        const asked = new Map<Asked, { kind: number; expected: string | undefined; refused: boolean }>();
        const held: { lease: Lease; item: QueueItem; text: string }[] = [];
        const letGo = (one: (typeof held)[number] | undefined) => {
          if (one === undefined) return;
          // Nobody has written over what a run still reads.
          expect(shown(one.item.member.inputs)).toBe(one.text);
          one.lease.release();
        };
        const byEnqueued: Asked[] = [];
        let seed = 0;
        const answer = (item: QueueItem, kind: number, number: number) => {
          const outputs = outputsOf(kind, item.member.rows, number);
          item.settle(done(outputs));
          // The lane is used again at once.
          for (const { data } of outputs) data.fill(0xdd);
        };
        const identify = (item: QueueItem) => {
          // The request that was sent with these tensors.
          const text = shown(item.member.inputs);
          return byEnqueued.findIndex((one) => shownOf.get(one) === text);
        };
        const shownOf = new Map<Asked, string>();
        const finish = (item: QueueItem, fails: boolean) => {
          const at = identify(item);
          expect(at).toBeGreaterThanOrEqual(0);
          const one = byEnqueued[at] as Asked;
          const about = asked.get(one) as { kind: number; expected: string | undefined };
          const number = at;
          if (fails) {
            const message = number % 3 === 0 ? `long ${'é'.repeat(200)}` : `no ${number} ü`;
            const cause = number % 5 === 0 ? new Error('why') : undefined;
            const error = new ServingError('BACKEND_FAILED', message, { cause });
            item.settle({ kind: 'failed', error, execution: number });
            about.expected = `${number} BACKEND_FAILED ${message}`;
          } else {
            about.expected = outputsOf(about.kind, item.member.rows, number)
              .map(({ name, shape, data }) => `${name}[${shape}]=${Buffer.from(data).toString('hex')}`)
              .join();
            answer(item, about.kind, number);
          }
        };
        for (const { what, kind, rows, pick } of steps) {
          if (what === 'send') {
            const inputs = inputsOf(kind, rows, seed++);
            let lease: Lease | undefined;
            const [first] = inputs;
            if (pick % 3 === 0 && first !== undefined) {
              lease = arena.lease(first.data.byteLength) as Lease;
              lease.bytes.set(first.data);
              inputs[0] = { ...first, data: lease.bytes.subarray(0, first.data.byteLength) };
            }
            const one = new Asked(inputs, rows, lease);
            shownOf.set(one, `${shown(inputs)}`);
            one.onSettled = () => lease?.release();
            byEnqueued.push(one);
            asked.set(one, { kind, expected: undefined, refused: false });
            try {
              queues[kind]?.enqueue(one);
            } catch (thrown) {
              expect((thrown as ServingError).reason).toMatch(/QUEUE_FULL|OVERLOADED/);
              (asked.get(one) as { refused: boolean }).refused = true;
              lease?.release();
            }
          } else if (what === 'cancel') {
            const one = byEnqueued[pick % Math.max(byEnqueued.length, 1)];
            if (one !== undefined) queues[asked.get(one)?.kind as number]?.cancel(one);
          } else if (what === 'take') receiver.take();
          else if (what === 'deliver') sender.deliver();
          else if (what === 'fill') queue.full = pick % 2 === 0;
          else if (what === 'hold') {
            const item = queue.waiting[pick % Math.max(queue.waiting.length, 1)];
            const lease = item?.member.lease;
            if (item !== undefined && lease !== undefined) {
              lease.retain();
              held.push({ lease, item, text: shown(item.member.inputs) });
            }
          } else if (what === 'let go') letGo(held.splice(pick % Math.max(held.length, 1), 1)[0]);
          else if (queue.waiting.length > 0) finish(queue.take(), what === 'fail');
        }
        queue.full = false;
        receiver.takeAll();
        while (queue.waiting.length > 0) finish(queue.take(), false);
        sender.deliver();
        for (const one of held) letGo(one);
        sender.deliver();
        for (const [one, { expected, refused }] of asked) {
          expect(one.outcomes).toHaveLength(refused ? 0 : 1);
          const [outcome] = one.outcomes;
          if (outcome === undefined) continue;
          if (expected === undefined) expect(outcome).toMatch(/^0 (CLIENT_CANCELLED|QUEUE_FULL full 70)/);
          else expect(outcome.startsWith(expected)).toBe(true);
        }
        expect(arena.leases).toBe(0);
        expect(sender.inFlight).toBe(0);
        // Every row is free again.
        for (let i = 0; i < 8; i++) queues[0]?.enqueue(new Asked(inputsOf(0, 1, i), 1));
        expect(() => queues[0]?.enqueue(new Asked(inputsOf(0, 1, 9), 1))).toThrow(/in flight/);
      }),
      { numRuns: 1500 },
    );
  });

  it('carry what a queue decides by', () => {
    const { sender, receiver, queue, queues } = pair();
    queues[1]?.enqueue(new Asked(inputsOf(1, 2, 1), 2));
    receiver.take();
    expect(queue.waiting[0]).toMatchObject({
      priority: 2,
      timeoutUs: 1500,
      deadlineNs: NO_DEADLINE,
      enqueuedNs: 12_345,
      key: '1,;5,2,;',
      member: { rows: 2 },
    });
    queue.take().settle(done(outputsOf(1, 2, 0)));
    sender.deliver();
    expect(sender.inFlight).toBe(0);
  });

  it('carry what a request says of itself to ensembles, and to nobody else', () => {
    const { receiver, queue, queues } = pair();
    const origin: RequestOrigin = {
      id: 'é',
      parameters: { big: 2n ** 60n, on: true },
      caller: { headers: { 'x-team': 'blue' }, client: '10.0.0.1' },
      trace: { traceId: 'e'.repeat(32), spanId: 'f'.repeat(16), sampled: true },
    };
    const row = [{ name: 'x', dataType: 'FP32' as const, shape: [1, 4], data: new Uint8Array(16) }];
    const asked = (said: RequestOrigin | undefined, sequence?: SequencePart) => {
      const one = new Asked(row, 1);
      if (said !== undefined) one.origin = said;
      if (sequence !== undefined) one.sequence = sequence;
      return one;
    };
    const part = { id: 9, start: true, end: false };
    queues[3]?.enqueue(asked(origin, part));
    queues[3]?.enqueue(asked({ id: '', parameters: {} }));
    queues[3]?.enqueue(asked({ ...origin, trace: { traceId: 'e'.repeat(32), spanId: '', sampled: false } }));
    queues[0]?.enqueue(asked(origin));
    receiver.take();
    const came = [queue.take(), queue.take(), queue.take(), queue.take()];
    expect(came.map((item) => item.origin)).toEqual([origin, undefined, { ...origin, trace: undefined }, undefined]);
    expect(came.map((item) => item.sequence)).toEqual([part, undefined, undefined, undefined]);
  });

  it('that are copies go to the queue of copies, and leave half of the rows to others', () => {
    const { sender, receiver, queue } = pair(8);
    const copies = new HandQueue();
    receiver.add(9, FIXED, queue, copies);
    const shadows = sender.queueOf(9, FIXED, true);
    const sent = [0, 1, 2, 3, 4].map((seed) => new Asked(inputsOf(0, 1, seed), 1));
    for (const one of sent) shadows.enqueue(one);
    expect(() => shadows.enqueue(new Asked(inputsOf(0, 1, 5), 1))).toThrow(
      expect.objectContaining({ reason: 'QUEUE_FULL' }),
    );
    sender.queueOf(9, FIXED).enqueue(new Asked(inputsOf(0, 1, 6), 1));
    receiver.take();
    expect([copies.waiting.length, queue.waiting.length]).toEqual([5, 1]);
    shadows.cancel(sent[0] as Asked);
    receiver.take();
    expect(copies.waiting).toHaveLength(4);
    copies.take().settle(done(outputsOf(0, 1, 7)));
    sender.deliver();
    expect(sent.map(({ outcomes }) => outcomes.length)).toEqual([1, 1, 0, 0, 0]);
  });

  it('give the figures of an answer back', () => {
    const { sender, receiver, queue, queues } = pair();
    const one = new Asked(inputsOf(0, 1, 0), 1);
    let figures: Partial<MemberDone> = {};
    one.onSettled = (outcome) => {
      figures = outcome as MemberDone;
    };
    queues[0]?.enqueue(one);
    receiver.take();
    queue.take().settle(done(outputsOf(0, 1, 0)));
    sender.deliver();
    const { outputs: _, ...expected } = done([]);
    expect(figures).toMatchObject(expected);
  });

  it('are refused where their memory is full, and taken where it is free again', () => {
    const { sender, receiver, queue } = pair(64, 2 ** 24);
    const large = modelSpec({ inputs: [tensorSpec('x', 'INT8', [2 ** 23])] });
    receiver.add(9, large, queue);
    const own = sender.queueOf(9, large);
    const body = () => new Asked([tensor('x', 'INT8', [1, 2 ** 23], new Uint8Array(2 ** 23))], 1);
    own.enqueue(body());
    expect(() => own.enqueue(body())).toThrow(expect.objectContaining({ reason: 'OVERLOADED', retryAfterMs: 1000 }));
    receiver.take();
    queue.take().settle(done(outputsOf(0, 1, 0)));
    sender.deliver();
    own.enqueue(body());
  });

  it('larger than any slot have memory of their own', () => {
    const { sender, receiver, queue } = pair();
    const large = modelSpec({ inputs: [tensorSpec('x', 'INT8', [-1])], maxBatchSize: 0 });
    receiver.add(9, large, queue);
    const data = new Uint8Array(20 * 2 ** 20).fill(7);
    const one = new Asked([tensor('x', 'INT8', [data.byteLength], data)], 1);
    sender.queueOf(9, large).enqueue(one);
    receiver.take();
    const item = queue.take();
    expect(item.member.inputs[0]?.shape).toEqual([data.byteLength]);
    expect(Buffer.compare(item.member.inputs[0]?.data as Uint8Array, data)).toBe(0);
    item.settle(done(outputsOf(0, 1, 3)));
    sender.deliver();
    expect(one.outcomes).toHaveLength(1);
  });

  it('of a thread that is gone are cancelled, and nobody is answered', () => {
    const { sender, receiver, queue, queues } = pair();
    const one = new Asked(inputsOf(0, 1, 0), 1);
    queues[0]?.enqueue(one);
    receiver.take();
    receiver.abandon();
    expect(queue.waiting).toEqual([]);
    sender.deliver();
    expect(one.outcomes).toEqual([]);
  });
});
