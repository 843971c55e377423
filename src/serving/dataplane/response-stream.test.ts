import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor } from '../../../test/support/fake-executor.js';
import { NOT_SLOW } from '../../../test/support/not-slow.js';
import { fp32, modelSpec, request } from '../../../test/support/specs.js';
import {
  type InferenceRequest,
  type InferenceResponse,
  type PartSink,
  ServingError,
  type VersionMetrics,
} from '../../core/index.js';
import { Batcher } from '../batcher/index.js';
import { Dataplane, ServedVersion } from './index.js';

const MS = 1e6;

interface Seen {
  readonly kind: 'part' | 'done' | 'failed';
  readonly value?: number | undefined;
  readonly index?: number | undefined;
  readonly reason?: string;
}

/** A data path with one decoupled version, whose executions the test plays; figures as they are counted. */
function dataPath(slots = 1) {
  const clock = new FakeClock();
  const spec = { ...modelSpec(), decoupled: true } as const;
  const counted: string[] = [];
  const metrics: VersionMetrics = {
    succeeded: () => counted.push('succeeded'),
    failed: (reason) => counted.push(reason),
    routed() {},
    executed() {},
    setQueueDepth() {},
    ...NOT_SLOW,
    responded: (index, kind) => counted.push(`${index} ${kind}`),
  };
  const executor = new FakeExecutor({ clock, slots, cancelNs: MS });
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 100 });
  const dataplane = new Dataplane({ clock, metrics: { refused() {} }, whyAbsent: () => undefined });
  dataplane.publish('m', [new ServedVersion(spec, batcher, metrics)]);
  return { clock, dataplane, executor, batcher, counted };
}

const x = [fp32('x', [1, 2], [1, 2])];
const y = (value: number) => [fp32('y', [1, 2], [value, value])];

function ask(path: ReturnType<typeof dataPath>, changes: Partial<InferenceRequest> = {}) {
  const seen: Seen[] = [];
  const taken: (() => void)[] = [];
  const told = ({ outputs: [output], index }: InferenceResponse) => ({
    value: output && new Float32Array(output.data.slice().buffer)[0],
    index,
  });
  const nowNs = path.clock.nowNs();
  const handle = path.dataplane.infer(request({ inputs: x, receivedNs: nowNs, decodedNs: nowNs, ...changes }), {
    part: (response, take) => {
      seen.push({ kind: 'part', ...told(response) });
      taken.push(take);
    },
    done: (response) => seen.push({ kind: 'done', ...told(response) }),
    failed: ({ reason }) => seen.push({ kind: 'failed', reason }),
  });
  return { seen, taken, handle };
}

const sinkOf = (path: ReturnType<typeof dataPath>, execution = 0) =>
  path.executor.executions[execution]?.batch.members[0]?.parts as PartSink;

describe('a request to a decoupled model', () => {
  it('gets its responses in order, counted from 0, and then the last one, which may be empty', () => {
    const path = dataPath();
    const { seen } = ask(path);
    for (const value of [5, 6]) sinkOf(path).part(y(value), () => {});
    path.executor.executions[0]?.finish([]);
    expect(seen).toEqual([
      { kind: 'part', value: 5, index: 0 },
      { kind: 'part', value: 6, index: 1 },
      { kind: 'done', value: undefined, index: 2 },
    ]);
    expect(path.counted).toEqual(['0 success', '1 success', '2 empty', 'succeeded']);
  });

  it('may have its one response as the last', () => {
    const path = dataPath();
    const { seen } = ask(path);
    path.executor.executions[0]?.finish(y(9));
    expect(seen).toEqual([{ kind: 'done', value: 9, index: 0 }]);
    expect(path.counted).toEqual(['0 success', 'succeeded']);
  });

  it('is an execution of its own', () => {
    const path = dataPath(2);
    const [first, second] = [ask(path), ask(path)];
    expect(path.executor.executions.map(({ batch }) => batch.members.length)).toEqual([1, 1]);
    sinkOf(path, 1).part(y(1), () => {});
    expect([first.seen, second.seen]).toEqual([[], [{ kind: 'part', value: 1, index: 0 }]]);
  });

  it('is refused where its caller takes one response only', () => {
    const path = dataPath();
    let failure: ServingError | undefined;
    path.dataplane.infer(request({ inputs: x }), {
      done: () => {},
      failed: (error) => {
        failure = error;
      },
    });
    expect(failure).toMatchObject({ reason: 'UNSUPPORTED', message: expect.stringContaining('ModelStreamInfer') });
    expect(path.executor.executions).toEqual([]);
  });

  it('gets no further response once it is cancelled, and its execution is stopped', () => {
    const path = dataPath();
    const { seen, handle } = ask(path);
    sinkOf(path).part(y(1), () => {});
    handle.cancel();
    sinkOf(path).part(y(2), () => {});
    expect(path.executor.executions[0]?.cancelled).toBe(true);
    path.clock.advance(2 * MS);
    expect(seen).toEqual([
      { kind: 'part', value: 1, index: 0 },
      { kind: 'failed', reason: 'CLIENT_CANCELLED' },
    ]);
    expect(path.counted).toEqual(['0 success', 'CLIENT_CANCELLED', '1 cancel']);
  });

  it('ends at its deadline, whether it had a response or not', () => {
    const path = dataPath();
    const late = ask(path, { deadlineNs: path.clock.nowNs() + 5 * MS });
    const waiting = ask(path, { deadlineNs: path.clock.nowNs() + 4 * MS });
    sinkOf(path).part(y(1), () => {});
    path.clock.advance(10 * MS);
    expect(late.seen).toEqual([
      { kind: 'part', value: 1, index: 0 },
      { kind: 'failed', reason: 'DEADLINE_EXCEEDED' },
    ]);
    expect(waiting.seen).toEqual([{ kind: 'failed', reason: 'DEADLINE_EXCEEDED' }]);
  });

  it('fails where the outputs it asked for cannot be given, and its execution is stopped', () => {
    const path = dataPath();
    const { seen } = ask(path, { outputs: [{ name: 'y', classification: 1 }] });
    const text = [{ name: 'y', dataType: 'BYTES' as const, shape: [1, 1], data: new Uint8Array(4) }];
    sinkOf(path).part(text, () => {});
    expect(seen).toEqual([{ kind: 'failed', reason: 'UNSUPPORTED' }]);
    expect(path.executor.executions[0]?.cancelled).toBe(true);
  });

  it('has responses in order, one last, none after it, whatever the model, the client and the clock do', () => {
    const step = fc.record({
      act: fc.constantFrom('ask', 'part', 'part', 'part', 'end', 'fail', 'cancel', 'wait', 'take'),
      which: fc.nat(4),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 3 }), (steps, slots) => {
        const path = dataPath(slots);
        const asked: ReturnType<typeof ask>[] = [];
        const given: number[] = [];
        const pick = <T>(all: readonly T[], which: number): T | undefined => all[which % Math.max(all.length, 1)];
        for (const { act, which } of steps) {
          const running = path.executor.executions.filter(({ ended }) => !ended);
          const execution = pick(running, which);
          if (act === 'ask') {
            asked.push(ask(path, which === 0 ? { deadlineNs: path.clock.nowNs() + 3 * MS } : {}));
            given.push(0);
          } else if (act === 'part') execution?.batch.members[0]?.parts?.part(y(which), () => {});
          else if (act === 'end') execution?.finish(which === 0 ? y(7) : []);
          else if (act === 'fail') execution?.finish(new ServingError('BACKEND_FAILED', 'broke'));
          else if (act === 'cancel') pick(asked, which)?.handle.cancel();
          else if (act === 'take') pick(asked, which)?.taken.at(-1)?.();
          else path.clock.advance(MS);
        }
        void path.batcher.drain(0);
        path.clock.advance(20 * MS);
        for (const { seen } of asked) {
          expect(seen.filter(({ kind }) => kind !== 'part').length).toBe(1);
          expect(seen.at(-1)?.kind).not.toBe('part');
          const answered = seen.filter(({ kind }) => kind !== 'failed');
          expect(answered.map(({ index }) => index)).toEqual(answered.map((_, i) => i));
        }
      }),
      { numRuns: 200 },
    );
  });
});
