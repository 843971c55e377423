import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
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
import type { Lane, OpenedModel } from '../../../core/index.js';
import { CARRIER_SETTINGS } from './carrier/choose-carrier.js';
import type * as onnx from './index.js';

const { onnxNativeBackend, runsInFlight } = await compiled<typeof onnx>('serving/backend/onnx/index.js');
const backend = onnxNativeBackend({ log: silentLog, clock: realClock });

const input = (rows: number, width: number, seed: number) =>
  tensorOf(
    'INPUT0',
    'FP32',
    [rows, width],
    Float32Array.from({ length: rows * width }, (_, i) => seed + i),
  );

const sizes = fc.record({ rows: fc.integer({ min: 1, max: 8 }), width: fc.integer({ min: 0, max: 20_000 }) });

describe.each(CARRIER_SETTINGS)('an output whose shape follows from the input’s, by carrier %s', (carrier) => {
  const models: OpenedModel[] = [];
  const open = async (name: string): Promise<Lane> => {
    const model = await backend.open(openRequest(name, { parameters: { carrier } }));
    models.push(model);
    return model.createLane(specOf(name, model.signature, 8), 0);
  };
  let right: Lane;
  beforeAll(async () => {
    right = await open('identity_fp32');
  });
  afterAll(async () => {
    for (const model of models) await model.close();
    expect(runsInFlight()).toBe(0);
  });

  it('is what the model computes, in any order of sizes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(sizes, { minLength: 1, maxLength: 6 }), fc.nat(999), async (runs, seed) => {
        for (const { rows, width } of runs) {
          const given = input(rows, width, seed);
          const [output] = await outputsOf(right, batchOf([[given]]));
          expect(output).toMatchObject({ shape: [rows, width] });
          expect(Buffer.compare(output?.data as Uint8Array, given.data)).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('is right from the first run on where the model file is wrong about it', async () => {
    const lane = await open('wrong_symbol');
    for (const width of [3, 3, 7000, 1, 0]) {
      const [output] = await outputsOf(lane, batchOf([[input(2, width, 5)], [input(1, width, 90)]]));
      expect(output?.shape).toEqual([3, 2 * width]);
      const rows = [input(2, width, 5), input(1, width, 90)].flatMap(({ data, shape }) => {
        const values = new Float32Array(data.buffer);
        return Array.from({ length: shape[0] as number }, (_, i) => [...values.subarray(i * width, (i + 1) * width)]);
      });
      expect([...new Float32Array(output?.data.buffer as ArrayBuffer)]).toEqual(
        rows.flatMap((row) => [...row, ...row]),
      );
    }
  });

  it('can be told to stop in the run that is tried again', async () => {
    const lane = await open('wrong_symbol');
    const running = runBatch(lane, batchOf([[input(1, 20_000, 1)]]));
    lane.cancel();
    const { kind } = await running;
    expect(['done', 'failed']).toContain(kind);
    const [output] = await outputsOf(lane, batchOf([[input(1, 2, 1)]]));
    expect([...new Float32Array(output?.data.buffer as ArrayBuffer)]).toEqual([1, 2, 1, 2]);
  });
});
