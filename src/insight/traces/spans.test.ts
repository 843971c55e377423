import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { BatchSpans } from './batch-spans.js';
import { RequestSpans } from './request-spans.js';
import { SpanMaker } from './span-maker.js';
import type { CopyRecord, RequestRecord, RunRecord } from './trace-record.js';
import { WallClock } from './wall-time.js';

const RUN: RunRecord = {
  model: 'm',
  version: 2,
  execution: 7,
  takenNs: 40,
  gatheredNs: 50,
  startedNs: 55,
  finishedNs: 90,
  rows: 4,
  paddingShare: 0,
  requests: 3,
  device: 'cpu',
  whole: true,
};

const REQUEST: RequestRecord = {
  kind: 'request',
  traceId: '1'.repeat(32),
  spanId: '2'.repeat(16),
  parentId: '3'.repeat(16),
  traceState: 'a=b',
  keptFor: 'head',
  protocol: 'http',
  userAgent: '',
  requestId: '',
  model: 'm',
  requestedVersion: undefined,
  version: 2,
  route: 'default',
  tenant: '',
  criticality: 'default',
  priority: 0,
  deadlineMs: Number.POSITIVE_INFINITY,
  requestBytes: 1,
  replyBytes: 2,
  reason: undefined,
  message: '',
  receivedNs: 10,
  decodedNs: 20,
  enqueuedNs: 30,
  answeredNs: 95,
  endedNs: 100,
  run: RUN,
};

function setup() {
  const time = { ms: 0 };
  const clock = new WallClock({ zeroMs: 1000, wallMs: () => 1000, steadyMs: () => 0 });
  const maker = new SpanMaker(clock, resourceFromAttributes({}), '1');
  const batches = new BatchSpans(maker, Math.random, () => time.ms);
  const spans = new RequestSpans({ maker, batches, random: Math.random });
  return { time, batches, spans };
}

const named = (spans: readonly ReadableSpan[]) => spans.map(({ name }) => name);
const ns = ([seconds, nanoseconds]: ReadableSpan['startTime']) => (seconds - 1) * 1e9 + nanoseconds;

describe('spans of a request', () => {
  it('for an ensemble has a span for each step, linked to the batch of that', () => {
    const { spans, batches } = setup();
    const step = (number: number, takenNs: number) => ({
      step: number,
      enqueuedNs: takenNs - 2,
      run: { ...RUN, model: `s${number}`, takenNs, finishedNs: takenNs + 9 },
    });
    const steps = [step(0, 40), { ...step(1, 60), run: { ...step(1, 60).run, steps: [step(0, 61)] } }];
    const [server, ...rest] = spans.of({ ...REQUEST, run: { ...RUN, steps } });
    expect(named(rest)).toEqual([
      'decode',
      'admit',
      'step s0',
      'queue',
      'compute',
      'step s1',
      'step s0',
      'queue',
      'compute',
      'scatter',
      'encode',
    ]);
    const [first, outer] = rest.filter(({ name }) => name.startsWith('step'));
    expect([first, outer].map((span) => span?.parentSpanContext?.spanId)).toEqual(
      Array(2).fill(server?.spanContext().spanId),
    );
    expect(first?.attributes).toEqual({
      'penstock.model.name': 's0',
      'penstock.model.version': 2,
      'penstock.ensemble.step': 0,
    });
    expect([...batches.due(true)].filter(({ name }) => name.startsWith('batch')).map(({ name }) => name)).toEqual([
      'batch s0',
    ]);
  });

  it('lie one behind the other below the whole', () => {
    const { spans } = setup();
    const [server, ...children] = spans.of(REQUEST);
    expect(server?.parentSpanContext).toMatchObject({ spanId: REQUEST.parentId, isRemote: true });
    expect(children.map(({ name, startTime, endTime }) => [name, ns(startTime), ns(endTime)])).toEqual([
      ['decode', 10, 20],
      ['admit', 20, 30],
      ['queue', 30, 40],
      ['compute', 40, 90],
      ['scatter', 90, 95],
      ['encode', 95, 100],
    ]);
    for (const child of children) expect(child.parentSpanContext?.spanId).toBe(server?.spanContext().spanId);
  });

  it.each([
    ['MALFORMED_REQUEST', { decodedNs: 0, enqueuedNs: 0, run: undefined }, ['decode'], 0],
    ['SHAPE_MISMATCH', { enqueuedNs: 0, run: undefined }, ['decode', 'admit'], 0],
    ['QUEUE_FULL', { run: undefined }, ['decode', 'admit', 'queue'], 2],
    ['BACKEND_FAILED', { run: { ...RUN, whole: false } }, ['decode', 'admit', 'queue', 'compute'], 2],
    ['INTERNAL', {}, ['decode', 'admit', 'queue', 'compute', 'scatter', 'encode'], 2],
  ] as const)('of one that failed by %s end where it did', (reason, more, stages, status) => {
    const { spans } = setup();
    const [server, ...children] = spans.of({ ...REQUEST, ...more, reason, message: 'Bearer abcdefgh' });
    expect(named(children)).toEqual(stages);
    expect(server?.attributes['error.type']).toBe(reason);
    expect([server?.status.code, children.at(-1)?.status.code]).toEqual([status, status]);
    expect(server?.status.message ?? '').not.toContain('abcdefgh');
  });

  it('of a copy are a trace of its own that names its origin', () => {
    const { spans } = setup();
    const copy: CopyRecord = {
      kind: 'copy',
      traceId: '4'.repeat(32),
      originTraceId: REQUEST.traceId,
      originSpanId: REQUEST.spanId,
      model: 'm',
      version: 3,
      reason: undefined,
      enqueuedNs: 30,
      endedNs: 100,
      run: RUN,
    };
    const [root, ...children] = spans.of(copy);
    expect(root?.links.map(({ context }) => context.traceId)).toEqual([REQUEST.traceId]);
    expect([root?.parentSpanContext, named(children)]).toEqual([undefined, ['queue', 'compute']]);
    expect(named(spans.of({ ...copy, reason: 'DRAINING', run: undefined }))).toEqual(['shadow m']);
  });
});

describe('spans of batches', () => {
  it('wait for their members, name all of them and are named by them', () => {
    const { spans, batches, time } = setup();
    const members = ['a', 'b'].map((digit) => spans.of({ ...REQUEST, spanId: digit.repeat(16) }));
    const other = spans.of({ ...REQUEST, run: { ...RUN, execution: 8 } });
    expect([...batches.due(false)]).toEqual([]);
    time.ms = 1001;
    const due = [...batches.due(false)];
    expect(named(due)).toEqual(['batch m', 'gather', 'dispatch', 'run', 'batch m', 'gather', 'dispatch', 'run']);
    const [first] = due as [ReadableSpan];
    expect(first.links.map(({ context }) => context.spanId)).toEqual(['a'.repeat(16), 'b'.repeat(16)]);
    const linked = (request: readonly ReadableSpan[]) =>
      request.find(({ name }) => name === 'compute')?.links[0]?.context.spanId;
    expect(members.map(linked)).toEqual([first.spanContext().spanId, first.spanContext().spanId]);
    expect(linked(other)).toBe(due[4]?.spanContext().spanId);
    expect([...batches.due(true)]).toEqual([]);
  });

  it('know what the member knows that saw their end', () => {
    const { spans, batches } = setup();
    const early = { ...RUN, finishedNs: 60, whole: false };
    spans.of({ ...REQUEST, run: early, reason: 'DEADLINE_EXCEEDED' });
    spans.of(REQUEST);
    spans.of({ ...REQUEST, run: { ...early, finishedNs: 70 }, reason: 'DEADLINE_EXCEEDED' });
    const [batch] = [...batches.due(true)] as [ReadableSpan];
    expect(ns(batch.endTime)).toBe(90);
    expect(batch.attributes).toMatchObject({ 'penstock.batch.rows': 4, 'penstock.batch.traced_members': 3 });
  });

  it('are bounded in number and in links', () => {
    const { spans, batches } = setup();
    for (let i = 1; i <= 4200; i++) spans.of({ ...REQUEST, run: { ...RUN, execution: i } });
    expect(named([...batches.due(false)]).filter((name) => name === 'batch m')).toHaveLength(104);
    for (let i = 0; i < 200; i++) spans.of({ ...REQUEST, run: { ...RUN, execution: -1 } });
    const most = [...batches.due(true)].map(({ links }) => links.length);
    expect(Math.max(...most)).toBe(128);
  });
});

describe('the wall clock of spans', () => {
  it('keeps distances, and follows a clock that was set', () => {
    let wallMs = 5000;
    let steadyMs = 100;
    const clock = new WallClock({ zeroMs: 4900.25, wallMs: () => wallMs, steadyMs: () => steadyMs });
    expect(clock.timeOf(0)).toEqual([4, 900_250_000]);
    expect(clock.timeOf(100_000_001)).toEqual([5, 250_001]);
    wallMs += 1002;
    steadyMs += 1000;
    clock.look();
    expect(clock.timeOf(0)).toEqual([4, 900_250_000]);
    wallMs += 3_600_000;
    clock.look();
    expect(clock.timeOf(0)[0]).toBe(3604);
  });
});
