import { describe, expect, it } from 'vitest';
import { seeded } from '../../../test/support/seeded-random.js';
import { modelSpec, policy } from '../../../test/support/specs.js';
import { type CostCurve, linearCurve, NO_DEADLINE } from '../../core/index.js';
import { fluidBoundPerSecond, SimulatedExecutor, VirtualClock } from '../../simulation/index.js';
import { Batcher, LearnedCost, type MemberOutcome } from './index.js';

const MS = 1e6;

/** Loss by 500 ms at 70 % of the fluid bound, where every execution takes 30 times as long from 1.0 to 1.5 s. */
function lossByHalfSeconds(instances: number, sloMs: number): number[] {
  const usual = linearCurve(4, 0.3);
  const clock = new VirtualClock();
  const slow = () => (clock.nowNs() >= 1000 * MS && clock.nowNs() < 1500 * MS ? 30 : 1);
  const curve: CostCurve = {
    meanNs: (rows) => usual.meanNs(rows) * slow(),
    upperNs: (rows) => usual.upperNs(rows) * slow(),
  };
  const executor = new SimulatedExecutor(clock, curve, instances, 0, () => 0.5);
  const batching = policy({ maxBatchSize: 256, sloMs });
  const metrics = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };
  const spec = modelSpec({ maxBatchSize: 256, batching });
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 10_000, costs: new LearnedCost() });
  const bound = fluidBoundPerSecond({ curve: usual, instances, sloMs, maxBatchSize: 256, jitter: 0 });
  const random = seeded(3);
  const lost = new Array<number>(10).fill(0);
  const all = new Array<number>(10).fill(0);
  for (;;) {
    clock.advance((-1e9 * Math.log(1 - random())) / (bound * 0.7));
    const part = Math.floor(clock.nowNs() / (500 * MS));
    if (part >= lost.length) return lost.map((count, i) => count / (all[i] as number));
    all[part] = (all[part] as number) + 1;
    const lose = () => {
      lost[part] = (lost[part] as number) + 1;
    };
    const settle = (outcome: MemberOutcome) => {
      if (outcome.kind === 'failed') lose();
    };
    const enqueuedNs = clock.nowNs();
    const limits = { key: '', priority: 0, timeoutUs: 0, deadlineNs: NO_DEADLINE, enqueuedNs };
    try {
      batcher.enqueue({ member: { inputs: [], rows: 1 }, ...limits, settle });
    } catch {
      lose();
    }
  }
}

describe('after a machine stood still', () => {
  it.each([
    [4, 8.6],
    [4, 17.2],
    [1, 17.2],
  ])('%i instances with an SLO of %d ms answer again soon', (instances, sloMs) => {
    const losses = lossByHalfSeconds(instances, sloMs);
    expect(losses[2]).toBeGreaterThan(0.3);
    for (const [part, loss] of losses.entries())
      if (part >= 6) expect(loss, `part ${part}: ${losses}`).toBeLessThan(0.1);
  });
});
