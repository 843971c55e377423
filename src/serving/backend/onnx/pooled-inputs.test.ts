import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
import { collect } from '../../../../test/support/garbage.js';
import {
  batchOf,
  openRequest,
  realClock,
  runBatch,
  silentLog,
  specOf,
  tensorOf,
} from '../../../../test/support/onnx-fixtures.js';
import { poisonedArena } from '../../../../test/support/poisoned-arena.js';
import type { Batch, BatchOutcome, Lane, Lease, OpenedModel, Tensor } from '../../../core/index.js';
import type { Arena } from '../../arena/index.js';
import { CARRIER_SETTINGS } from './carrier/choose-carrier.js';
import type * as onnx from './index.js';

// Inputs that ONNX Runtime reads in the slot their transport filled. Whoever waits for the run releases the slot when it
// pleases; the arena poisons what is free and these tests lease and overwrite it, collect garbage and compare every output.

const { onnxNativeBackend, runsInFlight } = await compiled<typeof onnx>('serving/backend/onnx/index.js');
const backend = onnxNativeBackend({ log: silentLog, clock: realClock });

let carrier = 'auto';

async function open(name: string, instances: number): Promise<OpenedModel> {
  const group = { device: 'cpu', deviceId: 0, count: instances } as const;
  return backend.open(openRequest(name, { instances: [group], parameters: { carrier } }));
}

function pooledBatch(inputs: Tensor[], rows: number, lease: Lease): Batch {
  return { ...batchOf([inputs]), rows, members: [{ inputs, rows, lease }] };
}

/** FP32 input `name` of this shape in a slot, `skew` bytes behind its start. */
function pooledInput(arena: Arena, name: string, shape: number[], skew = 0): { lease: Lease; input: Tensor } {
  const bytes = 4 * (shape[0] as number) * (shape[1] as number);
  const lease = arena.lease(bytes + skew) as Lease;
  return { lease, input: { name, dataType: 'FP32', shape, data: lease.bytes.subarray(skew, skew + bytes) } };
}

/** Leases what is free and overwrites it. */
function overwriteFreed(arena: Arena, bytes: number): void {
  const leases = Array.from({ length: 4 }, () => arena.lease(bytes));
  for (const lease of leases) lease?.bytes.fill(0x42);
  for (const lease of leases) lease?.release();
}

async function hammer(lane: Lane, arena: Arena, seed: number, runs: number): Promise<number> {
  let wrong = 0;
  for (let run = 0; run < runs; run++) {
    const rows = 1 + ((run + seed) % 5);
    const width = 1 + ((run * 61 + seed) % 9000);
    const { lease, input } = pooledInput(arena, 'INPUT0', [rows, width], 4 * (run % 3));
    const values = new Float32Array(rows * width);
    for (let i = 0; i < values.length; i++) values[i] = (seed + run + i) % 1024;
    input.data.set(new Uint8Array(values.buffer));
    const settled = runBatch(lane, pooledBatch([input], rows, lease));
    lease.release();
    overwriteFreed(arena, input.data.byteLength);
    if (run % 8 === 0) collect();
    const outcome = await settled;
    if (outcome.kind === 'failed') throw outcome.error;
    const got = new Float32Array(outcome.outputs[0]?.data.buffer as ArrayBuffer);
    if (got.length !== values.length || !values.every((value, i) => value === got[i])) wrong++;
  }
  return wrong;
}

describe.each(CARRIER_SETTINGS)('inputs in pooled memory, by carrier %s', (setting) => {
  let arena: Arena;
  beforeAll(() => {
    carrier = setting;
    arena = poisonedArena();
  });
  afterAll(() => {
    expect([arena.leases, runsInFlight()]).toEqual([0, 0]);
  });

  it('are held by the run whose caller has released them at once', async () => {
    const model = await open('identity_fp32', 2);
    const spec = specOf('identity_fp32', model.signature, 8);
    const lanes = await Promise.all([0, 0, 1, 1].map((instance) => model.createLane(spec, instance)));
    const wrong = await Promise.all(lanes.map((lane, i) => hammer(lane, arena, i * 100, 300)));
    await model.close();
    expect(wrong).toEqual([0, 0, 0, 0]);
  }, 60_000);

  it.skipIf(setting === 'sync')(
    'stay with a cancelled run until its call has returned, also with one that only waits for a thread',
    async () => {
      const rows = 5000;
      const model = await open('slow', 20);
      const spec = specOf('slow', model.signature, rows);
      const lanes = await Promise.all(Array.from({ length: 40 }, (_, i) => model.createLane(spec, i >> 1)));
      const held = new Set<number>();
      const settled = lanes.map((lane, i) => {
        const { lease, input } = pooledInput(arena, 'x', [rows, 1]);
        const steps = tensorOf('steps', 'INT64', [rows, 1], new BigInt64Array(rows).fill(1n << 40n));
        return new Promise<BatchOutcome['kind']>((resolve) => {
          held.add(i);
          lane.run(pooledBatch([input, steps], rows, lease), ({ kind }) => {
            held.delete(i);
            resolve(kind);
          });
          lease.release();
          expect(arena.leases).toBe(held.size);
        });
      });
      for (const lane of lanes) lane.cancel();
      expect(arena.leases).toBe(held.size);
      expect(new Set(await Promise.all(settled))).toEqual(new Set(['failed']));
      expect(arena.leases).toBe(0);
      await model.close();
    },
    60_000,
  );

  it('are copied, and not held, where they lie in garbage-collected memory', async () => {
    const model = await open('identity_fp32', 1);
    const lane = await model.createLane(specOf('identity_fp32', model.signature, 8), 0);
    const values = Float32Array.from({ length: 9000 }, (_, i) => i);
    const data = new Uint8Array(values.buffer);
    const held = () => {
      throw new Error('held');
    };
    const lease: Lease = { bytes: data, retain: held, release: held };
    const input: Tensor = { name: 'INPUT0', dataType: 'FP32', shape: [1, 9000], data };
    const outcome = await runBatch(lane, pooledBatch([input], 1, lease));
    if (outcome.kind === 'failed') throw outcome.error;
    expect(new Float32Array(outcome.outputs[0]?.data.buffer as ArrayBuffer)).toEqual(values);
    await model.close();
  });

  it('are copied, and not held, where they are small or not aligned', async () => {
    const model = await open('identity_fp32', 1);
    const lane = await model.createLane(specOf('identity_fp32', model.signature, 8), 0);
    for (const [width, skew] of [
      [4, 0],
      [9000, 2],
    ] as const) {
      const { lease, input } = pooledInput(arena, 'INPUT0', [1, width], skew);
      const values = Float32Array.from({ length: width }, (_, i) => i);
      input.data.set(new Uint8Array(values.buffer));
      const settled = runBatch(lane, pooledBatch([input], 1, lease));
      lease.release();
      expect(arena.leases).toBe(0);
      const outcome = await settled;
      expect(outcome.kind === 'done' && new Float32Array(outcome.outputs[0]?.data.buffer as ArrayBuffer)).toEqual(
        values,
      );
    }
    await model.close();
  });
});
