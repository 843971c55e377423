import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../test/support/fake-clock.js';
import { NOT_SLOW } from '../../test/support/not-slow.js';
import { type Random, seeded } from '../../test/support/seeded-random.js';
import { SharedCores } from '../../test/support/shared-cores.js';
import { modelSpec, policy, request } from '../../test/support/specs.js';
import type { ReleaseFact } from '../core/index.js';
import { Batcher } from '../serving/batcher/index.js';
import { Dataplane, ServedVersion } from '../serving/dataplane/index.js';
import { SpareTime } from '../serving/executor/index.js';
import { shadowBatcher } from './shadow-batcher.js';

const UNCOUNTED = { succeeded() {}, failed() {}, routed() {}, executed() {}, setQueueDepth() {}, ...NOT_SLOW };
const WORK_NS = 1e6;
/** The longest node of the model, which is not interrupted. */
const NODE_NS = WORK_NS / 10;

interface Load {
  readonly cores: number;
  /** Of one instance. */
  readonly utilisation: number;
  readonly shadowPercent: number;
  readonly requests?: number;
}

/** Poisson arrivals at a baseline of one instance, its candidate of one instance beside it, both on the same cores. */
function simulated({ cores, utilisation, shadowPercent, requests = 5000 }: Load) {
  const clock = new FakeClock();
  const processor = new SharedCores(clock, cores);
  const spare = new SpareTime();
  const counts = { compared: 0, dropped: 0 };
  const note = ({ kind }: ReleaseFact) => {
    if (kind === 'compared') counts.compared++;
    else if (kind === 'shadow-dropped') counts.dropped++;
  };
  const shadows = { maxInFlight: 16, maxBytes: 1e9, tolerances: { absolute: 0, relative: 0 } };
  const metrics = { refused() {} };
  const dataplane = new Dataplane({
    clock,
    metrics,
    whyAbsent: () => undefined,
    releases: { facts: { note }, shadows },
  });
  const served = [1, 2].map((version) => {
    const spec = modelSpec({ id: { model: 'm', version }, batching: policy({ dynamic: false }) });
    const shared = spare.share(processor.executor(1, WORK_NS, NODE_NS), ['cpu:0']);
    const batcher = new Batcher({ spec, executor: shared.foreground, clock, metrics: UNCOUNTED, maxQueueSize: 1e6 });
    shared.waiting = () => batcher.depth;
    return new ServedVersion(spec, batcher, UNCOUNTED, shadowBatcher(spec, shared.background, clock));
  });
  const split = { number: 1, rollout: 'r', baseline: 1, candidate: 2, canaryBuckets: 0, salt: '', key: undefined };
  dataplane.publish('m', served, {
    routes: undefined,
    release: { defaultVersion: 1, split: { ...split, shadowBuckets: shadowPercent * 100 } },
  });
  const random: Random = seeded(1);
  const times: number[] = [];
  for (let i = 0; i < requests; i++) {
    clock.advance((-Math.log(1 - random()) * WORK_NS) / utilisation);
    const begunNs = clock.nowNs();
    dataplane.infer(request({ receivedNs: begunNs, decodedNs: begunNs }), {
      done: () => times.push(clock.nowNs() - begunNs),
      failed: (error) => {
        throw error;
      },
    });
  }
  clock.advance(1e12);
  times.sort((a, b) => a - b);
  const quantile = (share: number) => (times[Math.floor(times.length * share)] as number) / 1e6;
  return { p50Ms: quantile(0.5), p99Ms: quantile(0.99), answered: times.length, ...counts };
}

describe('copies of every request, on the cores of the baseline', () => {
  it.each([
    [1, 0.3],
    [1, 0.8],
    [2, 0.3],
    [2, 0.8],
  ])('on %i cores at %f of an instance add at most one node of the model to what is seen', (cores, utilisation) => {
    const alone = simulated({ cores, utilisation, shadowPercent: 0 });
    const copied = simulated({ cores, utilisation, shadowPercent: 100 });
    expect(copied.answered).toBe(alone.answered);
    expect(copied.p50Ms).toBeLessThanOrEqual(alone.p50Ms + NODE_NS / 1e6);
    expect(copied.p99Ms).toBeLessThanOrEqual(alone.p99Ms + NODE_NS / 1e6);
    expect(copied.compared + copied.dropped).toBe(copied.answered);
    // There are idle moments, and they are used.
    expect(copied.compared).toBeGreaterThan(copied.answered * (1 - utilisation) * 0.3);
  });
});
