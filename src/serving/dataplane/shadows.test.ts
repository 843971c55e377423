import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { echo, FakeExecutor } from '../../../test/support/fake-executor.js';
import { NOT_SLOW } from '../../../test/support/not-slow.js';
import { fp32, modelSpec, request, tensorSpec } from '../../../test/support/specs.js';
import {
  type Batch,
  type InferenceRequest,
  type Lease,
  type ModelSpec,
  type ReleaseFact,
  ServingError,
  type Tensor,
} from '../../core/index.js';
import { Batcher, type MemberDone } from '../batcher/index.js';
import { ServedVersion } from './served-version.js';
import { Shadows } from './shadows.js';

const MS = 1e6;
const UNCOUNTED = { succeeded() {}, failed() {}, routed() {}, executed() {}, setQueueDepth() {}, ...NOT_SLOW };

class CountedLease implements Lease {
  readonly bytes = new Uint8Array(64);
  references = 1;

  retain(): void {
    if (this.references === 0) throw new Error('the lease has ended');
    this.references++;
  }

  release(): void {
    if (this.references === 0) throw new Error('released too often');
    this.references--;
  }
}

function done(outputs: readonly Tensor[]): MemberDone {
  return {
    kind: 'done',
    outputs,
    execution: 3,
    cost: undefined,
    deviceNs: 5,
    queueNs: 1000,
    gatherNs: 1,
    dispatchNs: 2,
    computeNs: 3,
    batchRows: 1,
    batchRequests: 1,
    device: -1,
    paddingShare: 0,
    batchFinishedNs: 0,
  };
}

interface Setup {
  readonly maxInFlight?: number;
  readonly maxBytes?: number;
  readonly maxQueueSize?: number;
  readonly spec?: ModelSpec;
  readonly compute?: (batch: Batch) => readonly Tensor[] | ServingError;
}

/** A candidate that echoes `x` as `y`, 1 ms each, beside answers given by hand. */
function setup({ maxInFlight = 8, maxBytes = 1e6, maxQueueSize = 100, spec, compute = echo }: Setup = {}) {
  const clock = new FakeClock();
  const executor = new FakeExecutor({ clock, serviceNs: () => MS, cancelNs: 0, compute });
  const candidateSpec = spec ?? modelSpec({ id: { model: 'm', version: 2 } });
  const batcher = new Batcher({ spec: candidateSpec, executor, clock, metrics: UNCOUNTED, maxQueueSize });
  const candidate = new ServedVersion(candidateSpec, batcher, UNCOUNTED, batcher);
  const facts: ReleaseFact[] = [];
  const state = { serves: true };
  const shadows = new Shadows({
    clock,
    facts: { note: (fact) => facts.push(fact) },
    limits: { maxInFlight, maxBytes, tolerances: { absolute: 1e-5, relative: 1e-3 } },
    serves: () => state.serves,
  });
  const leases: CountedLease[] = [];
  /** A request that was answered with `values`. */
  const send = (values: number[], changes: Partial<InferenceRequest> = {}, targets = 1) => {
    const lease = new CountedLease();
    leases.push(lease);
    const asked = request({ id: `r${leases.length}`, inputs: [fp32('x', [1, 2], [1, 2])], lease, ...changes });
    const outputs = [fp32('y', [1, 2], values)];
    const copies = Array.from({ length: targets }, (_, i) => ({ split: 7 + i, target: candidate }));
    shadows.send(asked, done(outputs), true, copies);
    for (const { data } of outputs) data.fill(0xee);
  };
  const held = () => leases.reduce((sum, { references }) => sum + references, 0);
  return { clock, executor, batcher, facts, shadows, state, send, held };
}

describe('copies for comparison', () => {
  it('are answered by the candidate and compared with what the answer was', () => {
    const { clock, facts, send, held, shadows } = setup();
    send([1, 2]);
    send([1, 3]);
    expect(facts).toEqual([]);
    expect(held()).toBe(2);
    clock.advance(10 * MS);
    const common = { kind: 'compared', model: 'm', version: 2, split: 7, reason: undefined };
    const times = { baselineNs: 6, candidateNs: MS, candidateDeviceNs: MS };
    expect(facts).toMatchObject([
      { ...common, ...times, requestId: 'r1', comparison: { agrees: true, topAgrees: true, maxAbsoluteError: 0 } },
      { ...common, ...times, requestId: 'r2', comparison: { agrees: false, topAgrees: true, maxAbsoluteError: 1 } },
    ]);
    expect([held(), shadows.kept]).toEqual([0, { copies: 0, bytes: 0 }]);
  });

  it('that the candidate fails, or does not take, say why', () => {
    const failing = setup({ compute: () => new ServingError('BACKEND_FAILED', 'no') });
    failing.send([1, 2]);
    failing.clock.advance(10 * MS);
    expect(failing.facts).toMatchObject([
      { kind: 'compared', comparison: undefined, reason: 'BACKEND_FAILED', candidateNs: 0, candidateDeviceNs: 0 },
    ]);
    const other = setup({
      spec: modelSpec({ id: { model: 'm', version: 2 }, inputs: [tensorSpec('x', 'FP32', [3])] }),
    });
    other.send([1, 2]);
    expect(other.facts).toMatchObject([{ kind: 'compared', reason: 'SHAPE_MISMATCH' }]);
    expect([failing.held(), other.held()]).toEqual([0, 0]);
  });

  it('are dropped where there is no room, time or version for them', () => {
    const bound = setup({ maxInFlight: 2 });
    for (let i = 0; i < 5; i++) bound.send([1, 2]);
    expect(bound.facts.map(({ kind }) => kind)).toEqual(['shadow-dropped', 'shadow-dropped', 'shadow-dropped']);
    expect(bound.facts[0]).toEqual({ kind: 'shadow-dropped', model: 'm', version: 2, split: 7 });
    bound.clock.advance(10 * MS);
    expect(bound.facts.slice(3).map(({ kind }) => kind)).toEqual(['compared', 'compared']);

    const memory = setup({ maxBytes: 100 });
    memory.send([1, 2], {}, 2);
    expect(memory.shadows.kept).toEqual({ copies: 1, bytes: 72 });
    expect(memory.facts).toMatchObject([{ kind: 'shadow-dropped', split: 8 }]);

    const full = setup({ maxQueueSize: 1 });
    for (let i = 0; i < 3; i++) full.send([1, 2]);
    expect(full.facts.map(({ kind }) => kind)).toEqual(['shadow-dropped']);

    const gone = setup();
    gone.state.serves = false;
    gone.send([1, 2]);
    expect(gone.facts.map(({ kind }) => kind)).toEqual(['shadow-dropped']);
    expect([gone.held(), gone.shadows.kept.copies]).toEqual([0, 0]);
  });

  it('are dropped and give everything back where the candidate is unloaded meanwhile', async () => {
    const { batcher, clock, facts, send, held, shadows } = setup();
    for (let i = 0; i < 3; i++) send([1, 2]);
    const drained = batcher.drain(0);
    clock.advance(1);
    await drained;
    expect(facts.map(({ kind }) => kind)).toEqual(Array(3).fill('shadow-dropped'));
    expect([held(), shadows.kept]).toEqual([0, { copies: 0, bytes: 0 }]);
    send([1, 2]);
    expect(facts).toHaveLength(4);
    expect(held()).toBe(0);
  });

  it('go to several candidates each for itself', () => {
    const { clock, facts, send, held } = setup();
    send([1, 2], {}, 3);
    expect(held()).toBe(3);
    clock.advance(10 * MS);
    expect(facts.map(({ kind, split }) => [kind, split])).toEqual([
      ['compared', 7],
      ['compared', 8],
      ['compared', 9],
    ]);
    expect(held()).toBe(0);
  });
});
