import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { request } from '../../../test/support/specs.js';
import { type InferenceResponse, ServingError } from '../../core/index.js';
import { routeMark } from '../../serving/router/route-mark.js';
import { keptByHead, randomnessOf } from './head-sampler.js';
import { RequestWatcher } from './request-watcher.js';
import { parseTraceparent } from './trace-context.js';
import type { KeptFor, RequestRecord, TraceRecord } from './trace-record.js';
import type { WatchParts } from './watched-request.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const MARK = routeMark(2, 'default', 1, false);

const RESPONSE: InferenceResponse = {
  version: { model: 'm', version: 2 },
  id: 'r1',
  outputs: [],
  parameters: {},
  latency: { decodeNs: 0, queueNs: 0, gatherNs: 0, dispatchNs: 0, computeNs: 0, scatterNs: 5, encodeNs: 0 },
  batchRows: 3,
  paddingShare: 0.25,
  mark: MARK,
};

function setup(options: Partial<WatchParts> = {}) {
  const clock = new FakeClock();
  const sent: TraceRecord[] = [];
  const asked: KeptFor[] = [];
  const parts: WatchParts = {
    clock,
    random: Math.random,
    head: { fraction: 0, followParent: true },
    keepErrors: 'server',
    keepSlowerThanNs: Number.POSITIVE_INFINITY,
    mayKeep: (keptFor) => asked.push(keptFor) > 0,
    send: (record) => sent.push(record),
    ...options,
  };
  const watcher = new RequestWatcher(parts, true);
  const begin = (traceparent = '', tracestate = '') => {
    const trace = watcher.begin('http', clock.nowNs(), traceparent, tracestate, 'client/1');
    if (trace === undefined) throw new Error('all are watched');
    return trace;
  };
  return { clock, sent, asked, begin };
}

describe('a watched request', () => {
  it('goes on with the trace of its caller, and says so in its answer', () => {
    const { begin, sent } = setup();
    const trace = begin(`00-${TRACE}-${SPAN}-01`, 'rojo=1, congo=2');
    expect(trace).toMatchObject({ traceId: TRACE, sampled: true });
    expect(parseTraceparent(trace.answering(RESPONSE, false) ?? '')).toEqual({
      traceId: TRACE,
      parentId: trace.spanId,
      sampled: true,
    });
    trace.ended(10);
    expect(sent).toMatchObject([
      { traceId: TRACE, spanId: trace.spanId, parentId: SPAN, traceState: 'rojo=1,congo=2', keptFor: 'head' },
    ]);
    expect(trace.spanId).not.toBe(SPAN);
  });

  it('begins a trace where there is none, or none that is valid; identifiers do not repeat', () => {
    const { begin } = setup();
    const traces = Array.from({ length: 100 }, (_, i) => begin(i % 2 === 0 ? '' : `00-${TRACE}-${SPAN}-1`));
    expect(new Set(traces.map(({ traceId }) => traceId)).size).toBe(100);
    expect(new Set(traces.map(({ spanId }) => spanId)).size).toBe(100);
    for (const { traceId, spanId } of traces) expect(`00-${traceId}-${spanId}-00`).toMatch(/^00-\w{32}-\w{16}-00$/);
  });

  it('keeps the part of the traces that it is told, by their ids, as everybody would', () => {
    const { begin } = setup({ head: { fraction: 0.1, followParent: true } });
    const traces = Array.from({ length: 5000 }, () => begin());
    const kept = traces.filter(({ sampled }) => sampled);
    expect(kept.length).toBeGreaterThan(400);
    expect(kept.length).toBeLessThan(600);
    const rules = { fraction: 0.1, followParent: false };
    expect(traces.every((trace) => keptByHead(rules, undefined, randomnessOf(trace.traceId)) === trace.sampled)).toBe(
      true,
    );
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (a, b) => {
        const [less, more] = a < b ? [a, b] : [b, a];
        const by = (fraction: number) =>
          traces
            .slice(0, 50)
            .map(({ traceId }) => keptByHead({ fraction, followParent: false }, undefined, randomnessOf(traceId)));
        const large = by(more);
        return by(less).every((one, i) => !one || large[i]);
      }),
    );
  });

  it('does not ask the caller where it is told not to', () => {
    const all = setup({ head: { fraction: 1, followParent: false } });
    expect(all.begin(`00-${TRACE}-${SPAN}-00`).sampled).toBe(true);
    const none = setup({ head: { fraction: 0, followParent: false } });
    expect(none.begin(`00-${TRACE}-${SPAN}-01`).sampled).toBe(false);
  });

  it.each([
    ['server', 'BACKEND_FAILED', 'error'],
    ['server', 'DEADLINE_EXCEEDED', 'error'],
    ['server', 'SHAPE_MISMATCH', undefined],
    ['all', 'SHAPE_MISMATCH', 'error'],
    ['none', 'BACKEND_FAILED', undefined],
  ] as const)('with errors kept: %s, %s is kept for %s', (keepErrors, reason, keptFor) => {
    const { begin, sent } = setup({ keepErrors });
    const trace = begin(`00-${TRACE}-${SPAN}-00`);
    const named = trace.failing(new ServingError(reason, 'why'), MARK, false);
    trace.ended(0);
    expect(named === undefined).toBe(keptFor === undefined);
    expect(sent.map((record) => (record as RequestRecord).keptFor)).toEqual(keptFor === undefined ? [] : [keptFor]);
    if (keptFor !== undefined) expect(sent).toMatchObject([{ reason, message: 'why', parentId: SPAN, version: 2 }]);
  });

  it('is kept where it took longer than a bound, whatever its head said', () => {
    const { begin, sent, clock } = setup({ keepSlowerThanNs: 5e6 });
    const fast = begin();
    clock.advance(5e6);
    expect(fast.answering(RESPONSE, false)).toBeUndefined();
    fast.ended(1);
    const slow = begin();
    clock.advance(5e6 + 1);
    expect(slow.answering(RESPONSE, false)).toMatch(/-01$/);
    slow.ended(1);
    expect(sent).toMatchObject([{ keptFor: 'latency', traceId: slow.traceId }]);
  });

  it('is not kept, and does not say so, where there are too many', () => {
    const { begin, sent } = setup({ mayKeep: () => false });
    const trace = begin(`00-${TRACE}-${SPAN}-01`);
    expect(trace.answering(RESPONSE, false)).toBeUndefined();
    trace.ended(0);
    expect([sent, trace.sampled]).toEqual([[], false]);
  });

  it('names its trace to who asked, kept or not', () => {
    const { begin, sent } = setup();
    expect(begin().answering(RESPONSE, true)).toMatch(/^00-\w{32}-\w{16}-00$/);
    expect(sent).toEqual([]);
  });

  it('takes the context of a message in place of that of its connection; one that is not valid changes nothing', () => {
    const { begin } = setup();
    const trace = begin(`00-${TRACE}-${SPAN}-00`);
    trace.adopt('nonsense', '');
    expect(trace).toMatchObject({ traceId: TRACE, sampled: false });
    const other = '11112222333344445555666677778888';
    trace.adopt(`00-${other}-${SPAN}-01`, 'a=b');
    expect(trace).toMatchObject({ traceId: other, sampled: true });
  });

  it('remembers where its time went', () => {
    const { begin, sent, clock } = setup();
    const trace = begin(`00-${TRACE}-${SPAN}-01`);
    trace.requestBytes = 64;
    trace.decoded(request({ model: 'm', id: 'r1', priority: 2, receivedNs: 0, decodedNs: 10, deadlineNs: 3e6 }));
    trace.admitted(20, 'acme', 'critical');
    clock.advance(1000);
    trace.ran({
      execution: 7,
      queueNs: 30,
      gatherNs: 40,
      dispatchNs: 50,
      computeNs: 60,
      batchRows: 3,
      paddingShare: 0.25,
      batchRequests: 2,
      device: 0,
      batchFinishedNs: 200,
    });
    trace.answering(RESPONSE, false);
    trace.ended(12);
    expect(sent).toEqual([
      expect.objectContaining({
        model: 'm',
        requestId: 'r1',
        priority: 2,
        deadlineMs: 3,
        tenant: 'acme',
        criticality: 'critical',
        route: 'default',
        requestBytes: 64,
        replyBytes: 12,
        reason: undefined,
        receivedNs: 0,
        decodedNs: 10,
        enqueuedNs: 20,
        answeredNs: 205,
        endedNs: 1000,
        run: {
          model: 'm',
          version: 2,
          execution: 7,
          takenNs: 50,
          gatheredNs: 90,
          startedNs: 140,
          finishedNs: 200,
          rows: 3,
          paddingShare: 0.25,
          requests: 2,
          device: expect.any(String),
          whole: true,
        },
      }),
    ]);
  });

  it('has a copy follow it, in a trace of its own, where it was kept', () => {
    const { begin, sent } = setup();
    const copy = { version: { model: 'm', version: 3 }, enqueuedNs: 5, run: undefined, reason: 'DRAINING' } as const;
    for (const flags of ['00', '01']) {
      const trace = begin(`00-${TRACE}-${SPAN}-${flags}`);
      trace.answering(RESPONSE, false);
      trace.ended(0);
      trace.copied(copy);
    }
    expect(sent.map(({ kind }) => kind)).toEqual(['request', 'copy']);
    expect(sent[1]).toMatchObject({ originTraceId: TRACE, version: 3, reason: 'DRAINING' });
    expect(sent[1]?.traceId).not.toBe(TRACE);
  });
});
