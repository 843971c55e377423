import { describe, expect, it } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
import { collect } from '../../../../test/support/garbage.js';
import {
  batchOf,
  openRequest,
  realClock,
  silentLog,
  specOf,
  tensorOf,
} from '../../../../test/support/onnx-fixtures.js';
import type { Lane, Lease, Tensor } from '../../../core/index.js';
import type * as onnx from './index.js';

// Outputs that a reader keeps while their lane runs on: in place where ONNX Runtime wrote them, or where they were copied to.

const { onnxNativeBackend, runsInFlight } = await compiled<typeof onnx>('serving/backend/onnx/index.js');
const { lend } = await compiled<typeof import('../../../core/index.js')>('core/index.js');
const backend = onnxNativeBackend({ log: silentLog, clock: realClock });

interface Kept {
  readonly tensor: Tensor;
  readonly lease: Lease;
  readonly value: number;
}

const rowsOf = (run: number) => 1 + (run % 8);

/** Runs `value` in all elements and keeps the output. */
function keep(lane: Lane, value: number, width: number): Promise<Kept> {
  const rows = rowsOf(value);
  const input = tensorOf('INPUT0', 'FP32', [rows, width], new Float32Array(rows * width).fill(value));
  return new Promise((resolve, reject) => {
    lane.run(batchOf([[input]]), (outcome) => {
      if (outcome.kind === 'failed') reject(outcome.error);
      else {
        const tensor = outcome.outputs[0] as Tensor;
        resolve({ tensor, lease: lend(tensor.data) as Lease, value });
      }
    });
  });
}

function intact({ tensor, value }: Kept, width: number): boolean {
  const { buffer, byteOffset, byteLength } = tensor.data;
  const values = new Float32Array(buffer, byteOffset, byteLength / 4);
  return values.length === rowsOf(value) * width && values.every((one) => one === value);
}

describe.each([
  ['written in place', 'identity_fixed', 4],
  ['written in place, of a shape that follows from the input’s', 'identity_fp32', 5000],
  ['allocated by ONNX Runtime', 'identity_unnamed', 5000],
])('outputs that are %s', (_, name, width) => {
  it('stay as they are for who keeps them, while the lane runs on, and after it is closed', async () => {
    const model = await backend.open(openRequest(name));
    const lane = await model.createLane(specOf(name, model.signature, 8), 0);
    const held: Kept[] = [];
    for (let run = 0; run < 300; run++) {
      held.push(await keep(lane, run, width));
      if (run % 3 === 2) held.splice((run * 7) % held.length, 1)[0]?.lease.release();
      if (held.length > 40) for (const { lease } of held.splice(0, 30)) lease.release();
      if (run % 16 === 0) collect();
      expect(held.every((one) => intact(one, width))).toBe(true);
    }
    await lane.close();
    await model.close();
    collect();
    expect(held.every((one) => intact(one, width))).toBe(true);
    for (const { lease } of held) lease.release();
    expect(runsInFlight()).toBe(0);
  });

  it('are written to the same place again once it is given back', async () => {
    const model = await backend.open(openRequest(name));
    const lane = await model.createLane(specOf(name, model.signature, 8), 0);
    const places = new Set<unknown>();
    for (let run = 0; run < 20; run++) {
      const { tensor, lease } = await keep(lane, 8 * run, width);
      places.add(tensor.data.buffer);
      lease.release();
    }
    expect(places.size).toBe(1);
    await lane.close();
    await model.close();
  });
});
