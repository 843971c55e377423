import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { FakeExecutor, type FakeExecutorOptions } from '../../../test/support/fake-executor.js';
import { modelSpec, policy, tensorSpec } from '../../../test/support/specs.js';
import {
  type BatchHandle,
  Charges,
  type CostModel,
  type CostSplit,
  linearCurve,
  NO_DEADLINE,
  ServingError,
  SHADOW_COPY,
  type Tensor,
} from '../../core/index.js';
import { CostLedger } from '../../insight/index.js';
import { Batcher, type MemberDone, type MemberOutcome, type QueueItem } from './index.js';

const MS = 1e6;
const CHARGES = new Charges();
/** An execution of b rows takes 2 + 0.75 b ms. */
const COSTS: CostModel = { curve: () => linearCurve(2, 0.75), observe: () => {} };

/** An executor of one slot whose device is metered. */
class MeteredExecutor extends FakeExecutor {
  readonly #ledger: CostLedger;
  readonly #clock: FakeClock;

  constructor(options: FakeExecutorOptions & { clock: FakeClock }, ledger: CostLedger) {
    super(options);
    this.#ledger = ledger;
    this.#clock = options.clock;
  }

  override execute(...[batch, settle]: Parameters<FakeExecutor['execute']>): BatchHandle {
    const meter = this.#ledger.meterOf('cpu:0');
    const begun = meter.begin(this.#clock.nowNs());
    const handle = super.execute(batch, (outcome) => {
      told.deviceNs = meter.end(begun, outcome.timing.finishedNs);
      settle(outcome);
    });
    const told = { meter, deviceNs: 0, cancel: () => handle.cancel() };
    return told;
  }
}

function rig(split: CostSplit, options: Partial<Omit<FakeExecutorOptions, 'clock'>> = {}) {
  const clock = new FakeClock();
  const priceOf = () => ({ kind: 'market', perHour: 3.6 }) as const;
  const bounds = { maxTenants: 9, maxRoutes: 9 };
  const ledger = new CostLedger({ clock, currency: 'EUR', split, idle: 'unallocated', ...bounds, priceOf });
  const compute: FakeExecutorOptions['compute'] = (batch): readonly Tensor[] => {
    const rows = batch.padded?.rows ?? batch.rows;
    return [{ name: 'y', dataType: 'FP32', shape: [rows, 2], data: new Uint8Array(rows * 8) }];
  };
  const executor = new MeteredExecutor({ clock, serviceNs: () => 8 * MS, compute, ...options }, ledger);
  const batching = policy({ maxBatchSize: 8, allowedBatchSizes: [1, 8], maxQueueDelayUs: 100 });
  const spec = modelSpec({ maxBatchSize: 8, batching, inputs: [tensorSpec('x', 'FP32', [-1])] });
  const metrics = { executed() {}, setQueueDepth() {} };
  const meter = ledger.meter(spec.id);
  const batcher = new Batcher({ spec, executor, clock, metrics, maxQueueSize: 100, meter, costs: COSTS });
  const outcomes: MemberOutcome[] = [];
  const ask = (rows: number, changes: Partial<QueueItem> = {}) => {
    const item: QueueItem = {
      member: { inputs: [], rows },
      key: '',
      priority: 0,
      timeoutUs: 0,
      deadlineNs: NO_DEADLINE,
      enqueuedNs: clock.nowNs(),
      charge: CHARGES.of('default', 'direct'),
      settle: (outcome) => outcomes.push(outcome),
      ...changes,
    };
    batcher.enqueue(item);
    return item;
  };
  const parts = () => outcomes.map((outcome) => (outcome as MemberDone).deviceNs / MS);
  const lines = () =>
    Object.fromEntries(
      ledger
        .snapshot()
        .lines.map(({ kind, deviceSeconds, requests }) => [kind, [Math.round(deviceSeconds * 1e9) / MS, requests]]),
    );
  return { clock, ledger, batcher, ask, outcomes, parts, lines };
}

describe('what an execution costs', () => {
  it.each([
    ['rows', [1, 3], 'by rows'],
    ['curve', [1.4, 2.6], 'its fixed part evenly, the rest by rows'],
  ] as const)('is shared by the policy %s: %j ms of 8, half of which was padding', (split, expected, _how) => {
    const { clock, ask, parts, lines } = rig(split);
    ask(1);
    ask(3);
    clock.advance(20 * MS);
    parts().forEach((ms, i) => {
      expect(ms).toBeCloseTo(expected[i] as number, 9);
    });
    expect(lines()).toEqual({ direct: [4, 2], padding: [4, 0] });
  });

  it('is shared by the elements of their own where members are padded to the longest', () => {
    const { clock, ask, parts, lines } = rig('elements');
    ask(4, { length: 2 });
    ask(4, { length: 6 });
    clock.advance(20 * MS);
    // 8 rows of 6 elements, 32 of 48 are somebody's.
    expect(parts().map((ms) => Number(ms.toFixed(9)))).toEqual([1.333333333, 4]);
    expect(lines()).toEqual({ direct: [5.333333, 2], padding: [2.666667, 0] });
  });

  it('is told in money, and is what the same requests would take alone where a curve knows', () => {
    const { clock, ledger, ask, outcomes } = rig('rows');
    ask(4);
    ask(4);
    clock.advance(20 * MS);
    expect(outcomes.map((outcome) => (outcome as MemberDone).cost)).toEqual([4e-6, 4e-6]);
    // 2 + 0.75 x 8 each: alone they are padded to 8 rows.
    expect(ledger.snapshot().lines[0]).toMatchObject({ deviceSeconds: 0.008, aloneSeconds: 0.016, amount: 8e-6 });
  });

  it('is paid by who goes away while it runs, and by all where it is stopped for that', () => {
    const { clock, batcher, ask, lines } = rig('rows', { cancelNs: 100 });
    const [first] = [ask(4), ask(4)];
    clock.advance(MS);
    batcher.cancel(first as QueueItem);
    clock.advance(20 * MS);
    expect(lines()).toEqual({ direct: [8, 2] });
    const gone = ask(8);
    clock.advance(MS);
    batcher.cancel(gone);
    clock.advance(20 * MS);
    expect(lines().direct).toEqual([9.0001, 3]);
  });

  it('is the loss of the model where it fails, and where halves of a failed one are run again', () => {
    const poison = { inputs: [], rows: 4 };
    const compute: FakeExecutorOptions['compute'] = (batch) =>
      batch.members.includes(poison)
        ? new ServingError('BACKEND_FAILED', 'poison')
        : [{ name: 'y', dataType: 'FP32', shape: [8, 2], data: new Uint8Array(64) }];
    const { clock, ask, lines, outcomes } = rig('rows', { compute });
    ask(4);
    ask(4, { member: poison });
    clock.advance(100 * MS);
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['done', 'failed']);
    expect(lines()).toEqual({ failed: [8, 2], retried: [16, 2] });
  });

  it('is that of the release for its canaries and copies, padding of copies and failures too', () => {
    const { clock, ask, lines } = rig('rows');
    ask(4, { charge: SHADOW_COPY });
    clock.advance(20 * MS);
    expect(lines()).toEqual({ shadow: [8, 1] });
    ask(4, { charge: CHARGES.of('next', 'canary') });
    clock.advance(20 * MS);
    expect(lines()).toEqual({ shadow: [8, 1], canary: [4, 1], padding: [4, 0] });
    const failing = rig('rows', { compute: () => new ServingError('EXECUTOR_LOST', 'gone') });
    failing.ask(4, { charge: CHARGES.of('next', 'canary') });
    failing.ask(4);
    failing.clock.advance(20 * MS);
    expect(failing.lines()).toEqual({ canary: [4, 1], failed: [4, 1] });
  });
});
