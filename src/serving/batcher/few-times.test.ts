import { describe, expect, it } from 'vitest';
import { seeded } from '../../../test/support/seeded-random.js';
import { modelSpec, policy } from '../../../test/support/specs.js';
import { type CostModel, linearCurve, NO_DEADLINE, type SizeCost } from '../../core/index.js';
import { fluidBoundPerSecond, SimulatedExecutor, VirtualClock } from '../../simulation/index.js';
import { besideKnown } from './few-times.js';
import { Batcher, LearnedCost, type MemberOutcome } from './index.js';

const size = (rows: number, meanNs: number, upperNs: number, weight: number): SizeCost => ({
  rows,
  meanNs,
  upperNs,
  weight,
});

describe('sizes that were seen seldom', () => {
  it('are as doubtful as those that are known, not as their number', () => {
    const known = [size(1, 100, 110, 30), size(4, 160, 176, 30)];
    const [, , few] = besideKnown([...known, size(8, 240, 360, 6)]);
    expect(few).toMatchObject({ meanNs: 240, weight: 6 });
    expect(few?.upperNs).toBeCloseTo(264);
  });

  it('are taken to be on the line of their neighbours while they seem slower, for a few tries', () => {
    const known = [size(2, 100, 100, 30), size(4, 140, 140, 30)];
    const mean = (weight: number, rows = 6) => besideKnown([...known, size(rows, 400, 400, weight)])[2]?.meanNs;
    expect([mean(1), mean(3), mean(4)]).toEqual([180, 180, 400]);
    // Too far away to say.
    expect(mean(1, 9)).toBe(400);
  });

  it('stay as they are where nothing else is known, or they seem faster', () => {
    const alone = [size(1, 100, 150, 1), size(4, 160, 176, 30)];
    expect(besideKnown(alone)).toEqual(alone);
    const faster = besideKnown([size(1, 100, 100, 9), size(4, 160, 160, 9), size(8, 170, 255, 1)]);
    expect(faster[2]?.meanNs).toBe(170);
  });
});

/** Share of the requests that are lost at `share` of the fluid bound with an SLO of 2 L(1), four instances, steady times. */
function lossWith(costs: (known: CostModel) => CostModel, share: number): number {
  const curve = linearCurve(4, 0.3);
  const load = { curve, instances: 4, sloMs: 8.6, maxBatchSize: 256, jitter: 0 };
  const random = seeded(11);
  const clock = new VirtualClock();
  const executor = new SimulatedExecutor(clock, curve, load.instances, 0, () => 0.5);
  const batching = policy({ maxBatchSize: load.maxBatchSize, sloMs: load.sloMs });
  const model = costs({ curve: () => curve, observe: () => {} });
  const metrics = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };
  const spec = modelSpec({ maxBatchSize: load.maxBatchSize, batching });
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 10_000, costs: model });
  const gapNs = 1e9 / (fluidBoundPerSecond(load) * share);
  // Little load first: single rows say nothing of batches.
  const [all, warm, alone] = [20_000, 5000, 500];
  let lost = 0;
  for (let i = 0; i < all; i++) {
    clock.advance(-gapNs * Math.log(1 - random()) * (i < alone ? 20 : 1));
    const counts = i >= warm;
    const settle = (outcome: MemberOutcome) => {
      if (counts && outcome.kind === 'failed') lost++;
    };
    const enqueuedNs = clock.nowNs();
    const limits = { key: '', priority: 0, timeoutUs: 0, deadlineNs: NO_DEADLINE, enqueuedNs };
    try {
      batcher.enqueue({ member: { inputs: [], rows: 1 }, ...limits, settle });
    } catch {
      if (counts) lost++;
    }
  }
  return lost / (all - warm);
}

describe('planning by learned times', () => {
  it('loses little more than by known ones where the SLO is tight', () => {
    const known = lossWith((model) => model, 0.85);
    expect(known).toBeLessThan(0.01);
    expect(lossWith(() => new LearnedCost(), 0.85)).toBeLessThan(known + 0.005);
  });
});
