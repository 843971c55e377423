import { beforeAll, describe, expect, it } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
import { collect } from '../../../../test/support/garbage.js';
import {
  batchOf,
  openRequest,
  outputsOf,
  realClock,
  runBatch,
  silentLog,
  specOf,
  tensorOf,
} from '../../../../test/support/onnx-fixtures.js';
import type { BatchOutcome, Lane, OpenedModel } from '../../../core/index.js';
import { CARRIER_SETTINGS } from './carrier/choose-carrier.js';
import type * as onnx from './index.js';

// Memory that JavaScript drops while native code reads it gives wrong answers, not crashes (facts page, trap 1). These
// tests force collections and fill fresh memory with poison while runs are in flight, and compare every output.

// Compiled: a run thread's entry is a compiled file.
const { onnxNativeBackend, runsInFlight } = await compiled<typeof onnx>('serving/backend/onnx/index.js');
const backend = onnxNativeBackend({ log: silentLog, clock: realClock });

/** Takes what a collection has freed and fills it with a value that no right answer holds. */
function poison(): void {
  for (let i = 0; i < 40; i++) {
    const bytes = 64 * (1 + ((i * 7919) % 300));
    new Float32Array(new SharedArrayBuffer(bytes)).fill(-666.5);
    new Float32Array(bytes / 4).fill(-666.5);
  }
}

/** Runs `runs` batches of varying shapes on one lane, each output compared. */
async function hammer(lane: Lane, seed: number, runs: number): Promise<number> {
  let wrong = 0;
  for (let run = 0; run < runs; run++) {
    const rows = 1 + ((run + seed) % 5);
    const width = 1 + ((run * 31 + seed) % 900);
    const values = new Float32Array(rows * width);
    for (let i = 0; i < values.length; i++) values[i] = (seed + run + i) % 1024;
    const batch = batchOf([[tensorOf('INPUT0', 'FP32', [rows, width], values)]]);
    const settled = runBatch(lane, batch);
    if (run % 8 === 0) collect();
    poison();
    const outcome = await settled;
    if (outcome.kind === 'failed') throw outcome.error;
    const got = new Float32Array(outcome.outputs[0]?.data.buffer as ArrayBuffer);
    if (got.length !== values.length || !values.every((value, i) => value === got[i])) wrong++;
  }
  return wrong;
}

let carrier = 'auto';

async function open(name: string, instances = 2): Promise<OpenedModel> {
  const group = { device: 'cpu', deviceId: 0, count: instances } as const;
  return backend.open(openRequest(name, { instances: [group], parameters: { carrier } }));
}

// A synchronous run is over before anything can be collected under it; `auto` begins with the pool.
describe.each(CARRIER_SETTINGS.filter((name) => name !== 'sync'))(
  'memory of runs in flight, by carrier %s',
  (setting) => {
    beforeAll(() => {
      carrier = setting;
    });

    it('holds under forced collections and poisoned allocations, dynamic shapes, four lanes at once', async () => {
      const model = await open('identity_fp32');
      const spec = specOf('identity_fp32', model.signature, 8);
      const lanes = await Promise.all([0, 0, 1, 1].map((instance) => model.createLane(spec, instance)));
      const wrong = await Promise.all(lanes.map((lane, i) => hammer(lane, i * 100, 400)));
      await model.close();
      expect(wrong).toEqual([0, 0, 0, 0]);
      expect(runsInFlight()).toBe(0);
    }, 60_000);

    it('holds while runs wait for a thread: collected, poisoned, and only then read', async () => {
      const blocker = await open('slow', 8);
      const slowSpec = specOf('slow', blocker.signature, 4);
      const blockers = await Promise.all(Array.from({ length: 16 }, (_, i) => blocker.createLane(slowSpec, i >> 1)));
      const model = await open('identity_fp32', 8);
      const spec = specOf('identity_fp32', model.signature, 8);
      const lanes = await Promise.all(Array.from({ length: 16 }, (_, i) => model.createLane(spec, i >> 1)));
      for (let round = 0; round < 10; round++) {
        const x = tensorOf('x', 'FP32', [1, 1], Float32Array.of(1));
        const steps = tensorOf('steps', 'INT64', [1, 1], BigInt64Array.of(1n << 40n));
        const blocked = blockers.map((lane) => runBatch(lane, batchOf([[x, steps]])));
        const values = lanes.map((_, i) => new Float32Array(1 + i * 300 + round).fill(i + round * 100));
        const settled = lanes.map((lane, i) => {
          const data = values[i] as Float32Array;
          return runBatch(lane, batchOf([[tensorOf('INPUT0', 'FP32', [1, data.length], data)]]));
        });
        for (let i = 0; i < 5; i++) {
          collect();
          poison();
        }
        for (const lane of blockers) lane.cancel();
        for (const outcome of await Promise.all(blocked)) expect(outcome.kind).toBe('failed');
        const outcomes = await Promise.all(settled);
        outcomes.forEach((outcome, i) => {
          if (outcome.kind === 'failed') throw outcome.error;
          expect(new Float32Array(outcome.outputs[0]?.data.buffer as ArrayBuffer)).toEqual(values[i]);
        });
      }
      await Promise.all([blocker.close(), model.close()]);
    }, 60_000);

    it('holds where versions are loaded and released during runs', async () => {
      const steady = await open('identity_fp32');
      const spec = specOf('identity_fp32', steady.signature, 8);
      const lane = await steady.createLane(spec, 0);
      const hammered = hammer(lane, 7, 400);
      for (let i = 0; i < 12; i++) {
        const model = await open('identity_fp32');
        const reloaded = await model.createLane(spec, 0);
        expect(await hammer(reloaded, i, 5)).toBe(0);
        await model.close();
      }
      expect(await hammered).toBe(0);
      await steady.close();
    }, 60_000);

    it('outlives whoever asked: the model closed, every reference dropped, while the run goes on', async () => {
      const settled = await (async () => {
        const model = await open('slow');
        const lane = await model.createLane(specOf('slow', model.signature, 4), 0);
        const x = tensorOf('x', 'FP32', [3, 1], Float32Array.of(1.5, 2.5, 3.5));
        const steps = tensorOf('steps', 'INT64', [3, 1], BigInt64Array.of(1500n, 0n, 0n));
        // So that the next run begins at once, whatever carries it.
        await outputsOf(lane, batchOf([[x, tensorOf('steps', 'INT64', [3, 1], new BigInt64Array(3))]]));
        const outcome = runBatch(lane, batchOf([[x, steps]]));
        // Not awaited: it can only end after the run has.
        const closed = model.close();
        return { outcome, closed };
      })();
      expect(runsInFlight()).toBe(1);
      for (let i = 0; i < 10; i++) {
        collect();
        poison();
        await new Promise((resolve) => setImmediate(resolve));
      }
      const outcome = (await settled.outcome) as Extract<BatchOutcome, { kind: 'done' }>;
      expect([...new Float32Array(outcome.outputs[0]?.data.buffer as ArrayBuffer)]).toEqual([1.5, 2.5, 3.5]);
      await settled.closed;
      expect(runsInFlight()).toBe(0);
    });

    it('gives output views that no later run of another lane changes before settle returns', async () => {
      const model = await open('identity_fp32');
      const spec = specOf('identity_fp32', model.signature, 4);
      const [one, other] = await Promise.all([model.createLane(spec, 0), model.createLane(spec, 0)]);
      const input = (value: number) =>
        batchOf([[tensorOf('INPUT0', 'FP32', [1, 64], new Float32Array(64).fill(value))]]);
      const seen = await new Promise<number[]>((resolve) => {
        one.run(input(1), (outcome) => {
          if (outcome.kind === 'failed') throw outcome.error;
          const view = outcome.outputs[0]?.data as Uint8Array;
          void runBatch(other, input(2));
          collect();
          poison();
          resolve([...new Float32Array(view.slice().buffer)]);
        });
      });
      expect(seen).toEqual(Array(64).fill(1));
      expect(await outputsOf(one, input(3))).toHaveLength(1);
      await model.close();
    });
  },
);
