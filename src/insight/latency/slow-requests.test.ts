import { expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { KeptLog } from '../../../test/support/http-server.js';
import { request } from '../../../test/support/specs.js';
import { NOBODY, type RequestTrace, type SlowRequest } from '../../core/index.js';
import { VersionFigures } from '../version-figures.js';
import { SlowRequestLog } from './slow-requests.js';
import { SlowThresholds } from './slow-thresholds.js';

const MS = 1e6;

function slow(changes: Partial<SlowRequest> = {}): SlowRequest {
  return {
    request: request({
      id: 'r1',
      receivedNs: 0,
      decodedNs: 0.25 * MS,
      priority: 2,
      trace: { traceId: 'ab'.repeat(16) } as RequestTrace,
    }),
    id: { model: 'm', version: 3 },
    mark: { version: 3, route: 'beta', table: 1, place: 1, routed: true, headers: [], metadata: {}, parameters: {} },
    tenant: { name: 'acme', weight: 1, index: 5 },
    rows: 2,
    totalNs: 12.3456 * MS,
    reason: undefined,
    execution: {
      latency: {
        decodeNs: 0.25 * MS,
        queueNs: 4 * MS,
        gatherNs: 0.1 * MS,
        dispatchNs: 0.2 * MS,
        computeNs: 7 * MS,
        scatterNs: 0.3 * MS,
        encodeNs: 0.4 * MS,
      },
      batchRows: 8,
      batchMates: 3,
      paddingShare: 0.123456,
      device: 'cuda:1',
    },
    ...changes,
  };
}

function logOf(maxLinesPerMinute = 60) {
  const clock = new FakeClock();
  const log = new KeptLog();
  return { clock, log, slowLog: new SlowRequestLog({ clock, log, maxLinesPerMinute }) };
}

it('a slow request is told with where its time went, its batch and whose it was', () => {
  const { log, slowLog } = logOf();
  expect(slowLog.note(slow())).toBe(true);
  expect(log.lines).toEqual([
    {
      level: 'warn',
      message: 'slow request',
      fields: {
        model: 'm',
        version: 3,
        route: 'beta',
        tenant: 'acme',
        id: 'r1',
        traceId: 'ab'.repeat(16),
        priority: 2,
        totalMs: 12.346,
        decodeMs: 0.25,
        queueMs: 4,
        gatherMs: 0.1,
        dispatchMs: 0.2,
        computeMs: 7,
        scatterMs: 0.3,
        encodeMs: 0.4,
        batchRows: 8,
        batchMates: 3,
        paddingShare: 0.1235,
        device: 'cuda:1',
        rows: 2,
      },
    },
  ]);
});

it('one that failed is told with why, as far as it came', () => {
  const { log, slowLog } = logOf();
  const mark = { ...slow().mark, routed: false };
  slowLog.note(slow({ reason: 'DEADLINE_EXCEEDED', execution: undefined, mark, tenant: NOBODY }));
  expect(log.lines[0]).toMatchObject({ fields: { reason: 'DEADLINE_EXCEEDED', totalMs: 12.346 } });
  expect(Object.keys((log.lines[0] as { fields: object }).fields)).not.toEqual(
    expect.arrayContaining(['route', 'tenant', 'computeMs']),
  );
});

it('so many lines are written in ten seconds, and how many were left out is told then', () => {
  const { clock, log, slowLog } = logOf(12);
  expect(Array.from({ length: 5 }, () => slowLog.note(slow()))).toEqual([true, true, false, false, false]);
  clock.advance(10_000 * MS);
  expect(log.lines.map(({ message }) => message)).toEqual([
    'slow request',
    'slow request',
    'slow requests left out of the log',
  ]);
  expect(log.lines[2]).toMatchObject({ fields: { requests: 3 } });
  expect(slowLog.note(slow())).toBe(true);
  clock.advance(60_000 * MS);
  expect(log.lines).toHaveLength(4);
});

const NONE = {
  decodeNs: 0,
  queueNs: 0,
  gatherNs: 0,
  dispatchNs: 0,
  computeNs: 0,
  scatterNs: 0,
  encodeNs: 0,
};

function figures() {
  return new VersionFigures({ model: 'm', version: 1 }, () => 0);
}

it.each([
  ['an absolute limit', { overMs: 30 }, 20, 30],
  ['times the aim of the version', { timesSlo: 2 }, 20, 40],
  ['the least of both', { overMs: 30, timesSlo: 2 }, 10, 20],
  ['times an aim that it has not', { timesSlo: 2 }, 0, Number.POSITIVE_INFINITY],
  ['nothing', {}, 20, Number.POSITIVE_INFINITY],
])('requests of a version are slow by %s', (_, rules, sloMs, expectedMs) => {
  const version = figures();
  const part = new Float64Array(version.partOf(0));
  new SlowThresholds(rules, new FakeClock()).watch(version, sloMs);
  expect(version.slowNs).toBe(expectedMs * MS);
  expect(part.includes(expectedMs * MS)).toBe(true);
});

it('or by times the 99th percentile of its last requests, once enough came', () => {
  const clock = new FakeClock();
  const version = figures();
  const thresholds = new SlowThresholds({ timesP99: 3, overMs: 1000 }, clock);
  thresholds.watch(version, 0);
  const answer = (requests: number, ms: number) => {
    for (let i = 0; i < requests; i++) version.succeeded(1, NONE, ms * MS);
    clock.advance(10_000 * MS);
  };
  answer(99, 10);
  expect(version.slowNs).toBe(1000 * MS);
  answer(1, 10);
  expect(version.slowNs / MS).toBeCloseTo(30, 0);
  answer(500, 2);
  expect(version.slowNs / MS).toBeCloseTo(6, 0);
  thresholds.forget(version);
  clock.advance(10_000 * MS);
  thresholds.stop();
});
