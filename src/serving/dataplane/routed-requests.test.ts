import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { NOT_SLOW } from '../../../test/support/not-slow.js';
import { modelRoutes } from '../../../test/support/routes.js';
import { fp32, modelSpec, request } from '../../../test/support/specs.js';
import { type InferenceRequest, type ModelRoutes, type RouteEvent, ServingError } from '../../core/index.js';
import { Batcher } from '../batcher/index.js';
import { Dataplane, ServedVersion } from './index.js';

const MS = 1e6;

/** Versions 1 and 2, each of an instance of its own; version 2 fails while `failing` is set. Outputs hold the version. */
function dataPath(routes: Partial<ModelRoutes>, serviceMs: Record<number, number> = {}) {
  const clock = new FakeClock();
  const events: string[] = [];
  const state = { failing: false };
  const moves: string[] = [];
  const versions = [1, 2].map((version) => {
    const spec = modelSpec({ id: { model: 'm', version } });
    const figures = {
      succeeded: () => {},
      failed: () => {},
      executed: () => {},
      setQueueDepth: () => {},
      ...NOT_SLOW,
      routed: (event: RouteEvent) => events.push(`${event} ${version}`),
    };
    const executor = new FakeExecutor({
      clock,
      serviceNs: () => (serviceMs[version] ?? 1) * MS,
      compute: (batch) =>
        version === 2 && state.failing
          ? new ServingError('BACKEND_FAILED', 'broken')
          : [fp32('y', [batch.rows, 2], new Array(batch.rows * 2).fill(version))],
    });
    const batcher = new Batcher({ spec, executor, clock, metrics: figures, maxQueueSize: 8 });
    return new ServedVersion(spec, batcher, figures);
  });
  const dataplane = new Dataplane({
    clock,
    metrics: { refused: () => {} },
    whyAbsent: () => undefined,
    onEjection: ({ version }, to) => moves.push(`${version} ${to}`),
  });
  const publish = () => dataplane.publish('m', versions, { routes: modelRoutes(routes), release: undefined });
  publish();
  const ask = (changes: Partial<InferenceRequest> = {}, advanceMs = 20): string => {
    let outcome = '';
    dataplane.infer(request({ receivedNs: clock.nowNs(), decodedNs: clock.nowNs(), ...changes }), {
      done: ({ outputs, mark }) => {
        const values = outputs.map(({ data }) => [...new Float32Array(data.slice().buffer)]);
        outcome += `${mark.route} ${mark.version}: ${JSON.stringify(values)}`;
      },
      failed: ({ reason, message }, mark) => {
        outcome += `${mark?.route} ${mark?.version}: ${reason} ${message}`;
      },
    });
    clock.advance(advanceMs * MS);
    return outcome;
  };
  return { clock, dataplane, events, state, moves, ask, publish };
}

const LARGE = { of: { from: 'input', name: 'x', index: 0 }, above: 9 } as const;
const large = { inputs: [fp32('x', [2, 2], [10, 0, 0, 0])] };
const filter = (action: ModelRoutes['filters'][number]['action']) => ({
  filters: [{ name: 'f', when: LARGE, action, enabled: true, flag: undefined }],
});

describe('filters', () => {
  it('block what they take, and nothing else', () => {
    const { ask } = dataPath(filter({ block: 'too large' }));
    expect(ask(large)).toBe('f 2: BLOCKED too large');
    expect(ask({ ...large, version: 1 })).toBe('f 1: BLOCKED too large');
    expect(ask()).toBe('default 2: [[2,2]]');
    expect(ask({ version: 1 })).toBe('named 1: [[1,1]]');
  });

  it('answer in the place of the model, once for each row, what is asked for', () => {
    const outputs = [
      { name: 'y', dataType: 'FP32' as const, shape: [2], values: [0.5, 7] },
      { name: 'z', dataType: 'FP32' as const, shape: [1], values: [1] },
    ];
    const { ask, events } = dataPath(filter({ answer: outputs }));
    expect(ask(large)).toBe('f 2: [[0.5,7,0.5,7]]');
    expect(ask({ ...large, outputs: [{ name: 'none', classification: 0 }] })).toMatch(/^f 2: UNKNOWN_OUTPUT/);
    expect(ask({ inputs: [fp32('x', [1, 3], [10, 0, 0])] })).toMatch(/^f 2: SHAPE_MISMATCH/);
    expect(events).toEqual(['answered_by_filter 2']);
  });

  it('send elsewhere, and do nothing while they are switched off', () => {
    const on = filter({ reroute: 1 });
    expect(dataPath(on).ask(large)).toBe('f 1: [[1,1,1,1]]');
    const off = { filters: on.filters.map((one) => ({ ...one, enabled: false })) };
    expect(dataPath(off).ask(large)).toBe('default 2: [[2,2,2,2]]');
    const unflagged = { flags: { a: false }, filters: on.filters.map((one) => ({ ...one, flag: 'a' })) };
    expect(dataPath(unflagged).ask(large)).toBe('default 2: [[2,2,2,2]]');
  });
});

describe('a fallback', () => {
  const fallback = { to: 1, onError: true, afterMs: 5 };

  it('answers for a version that fails, unless the client asked for that one', () => {
    const { ask, state, events } = dataPath({ fallback });
    state.failing = true;
    expect(ask()).toBe('fallback 1: [[1,1]]');
    expect(ask({ version: 2 })).toBe('named 2: BACKEND_FAILED broken');
    expect(events).toEqual(['second_try 2']);
  });

  it('answers for a version that is late', () => {
    const { ask, events } = dataPath({ fallback }, { 2: 50 });
    expect(ask()).toBe('fallback 1: [[1,1]]');
    expect(events).toEqual(['second_try 2']);
  });

  it('is not asked by itself to stand in for itself', () => {
    const { ask, events } = dataPath({ fallback, default: 1 });
    expect(ask()).toBe('default 1: [[1,1]]');
    expect(events).toEqual([]);
  });
});

describe('ejection', () => {
  const ejection = { consecutiveFailures: 3, errorPercent: 0, window: 10, seconds: 30, maxSeconds: 600 };
  const split = {
    arms: [
      { to: 1, percent: 50 },
      { to: 2, percent: 50 },
    ],
    key: { from: 'request-id' } as const,
    salt: 's',
    flag: undefined,
  };
  const routes = { ejection, default: 'ab', splits: { ab: split } };
  const outcomes = (ask: (changes: Partial<InferenceRequest>) => string, count = 40) =>
    Array.from({ length: count }, (_, i) => ask({ id: `caller-${i}` }));

  it('gives the callers of a failing version to the others, and them back when it answers again', () => {
    const { ask, state, moves, clock, events } = dataPath(routes);
    const before = outcomes(ask);
    expect(new Set(before)).toEqual(new Set(['ab 1: [[1,1]]', 'ab 2: [[2,2]]']));
    state.failing = true;
    const during = outcomes(ask);
    expect(during.filter((outcome) => outcome.includes('BACKEND_FAILED'))).toHaveLength(3);
    expect(outcomes(ask)).toEqual(before.map(() => 'ab 1: [[1,1]]'));
    expect(moves).toEqual(['2 ejected']);
    expect(events).toEqual(['ejection 2']);

    clock.advance(31_000 * MS);
    // One request tries it and fails; the others stay where they are.
    expect(outcomes(ask).filter((outcome) => outcome.includes('BACKEND_FAILED'))).toHaveLength(1);
    expect(moves).toEqual(['2 ejected', '2 probing', '2 ejected']);

    state.failing = false;
    clock.advance(61_000 * MS);
    outcomes(ask);
    expect(moves.slice(3)).toEqual(['2 probing', '2 admitted']);
    expect(outcomes(ask)).toEqual(before);
  });

  it('lasts over a new table of the same versions', () => {
    const { ask, state, publish } = dataPath(routes);
    state.failing = true;
    outcomes(ask);
    publish();
    expect(new Set(outcomes(ask))).toEqual(new Set(['ab 1: [[1,1]]']));
  });

  it('sends what would go to an ejected version alone to the fallback', () => {
    const { ask, state, moves } = dataPath({
      ejection,
      default: 2,
      fallback: { to: 1, onError: false, afterMs: undefined },
    });
    state.failing = true;
    expect([ask(), ask(), ask(), ask(), ask()]).toEqual([
      'default 2: BACKEND_FAILED broken',
      'default 2: BACKEND_FAILED broken',
      'default 2: BACKEND_FAILED broken',
      'fallback 1: [[1,1]]',
      'fallback 1: [[1,1]]',
    ]);
    expect(moves).toEqual(['2 ejected']);
  });

  it('never takes out all', () => {
    const { ask, state, moves } = dataPath({ ejection });
    state.failing = true;
    for (let i = 0; i < 10; i++) expect(ask({ version: undefined })).toMatch(/BACKEND_FAILED/);
    expect(moves).toEqual(['2 ejected']);
  });

  it('does not count what clients that name a version see, nor what callers do wrong', () => {
    const { ask, state, moves } = dataPath(routes);
    state.failing = true;
    for (let i = 0; i < 10; i++) ask({ version: 2 });
    for (let i = 0; i < 40; i++) ask({ id: `caller-${i}`, inputs: [] });
    expect(moves).toEqual([]);
  });
});
