import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/support/fake-clock.js';
import { fp32, modelSpec, tensorSpec } from '../../../../test/support/specs.js';
import type { Batch, BatchOutcome, ModelSpec, OpenRequest } from '../../../core/index.js';
import { timedBackend } from './timed-backend.js';

const folder = mkdtempSync(join(tmpdir(), 'penstock-timed-'));
afterAll(() => rmSync(folder, { recursive: true }));
const modelPath = join(folder, 'curve.txt');
const MS = 1e6;

function request(parameters: Record<string, string> = {}): OpenRequest {
  const provider = { onGpuError: 'fail', strict: false, options: {} } as const;
  const instances = [{ device: 'cpu', deviceId: 0, count: 1 }] as const;
  const id = { model: 'm', version: 1 };
  const files = { modelPath, backend: 'timed', engine: 'native' } as const;
  return { id, ...files, instances, provider, parameters, graphLevel: undefined, maxExecutionMs: 0 };
}

async function laneOf(parameters: Record<string, string>, spec: ModelSpec = modelSpec()) {
  const clock = new FakeClock();
  const opened = await timedBackend({ clock }).open(request(parameters));
  return { clock, lane: await opened.createLane(spec, 0) };
}

const X = modelSpec();
const batchOf = (...rows: number[][]): Batch => ({
  version: X.id,
  members: rows.map((values) => ({ inputs: [fp32('x', [values.length / 2, 2], values)], rows: values.length / 2 })),
  rows: rows.reduce((sum, values) => sum + values.length / 2, 0),
});

describe('the timed backend', () => {
  it('takes the time of the curve for the rows of a batch, and answers with what it was given', async () => {
    const { clock, lane } = await laneOf({ curve: '4,0.5' });
    const outcomes: BatchOutcome[] = [];
    lane.run(batchOf([1, 2], [3, 4, 5, 6]), (outcome) => {
      outcomes.push(outcome);
      const [y] = outcome.kind === 'done' ? outcome.outputs : [];
      expect(y).toMatchObject({ name: 'y', dataType: 'FP32', shape: [3, 2] });
      expect([...new Float32Array(y!.data.slice().buffer)]).toEqual([1, 2, 3, 4, 5, 6]);
    });
    clock.advance(5.4 * MS);
    expect(outcomes).toEqual([]);
    clock.advance(0.1 * MS);
    expect(outcomes).toHaveLength(1);
    const [{ timing }] = outcomes as [BatchOutcome];
    expect(timing.finishedNs - timing.takenNs).toBe(5.5 * MS);
  });

  it('reads measured points from the file of the version', async () => {
    writeFileSync(modelPath, '1:2, 3:6\n'.replace(' ', ''));
    const { clock, lane } = await laneOf({});
    let ended = false;
    lane.run(batchOf([1, 2, 3, 4]), () => {
      ended = true;
    });
    clock.advance(3.9 * MS);
    expect(ended).toBe(false);
    clock.advance(0.1 * MS);
    expect(ended).toBe(true);
  });

  it('varies times with a jitter, the same ones for the same seed', async () => {
    const timesOf = async (seed: string) => {
      const { clock, lane } = await laneOf({ curve: '10,0', jitter: '0.1', seed });
      return Array.from({ length: 2000 }, () => {
        let ns = 0;
        lane.run(batchOf([1, 2]), ({ timing }) => {
          ns = timing.finishedNs - timing.takenNs;
        });
        clock.advance(30 * MS);
        return ns / MS;
      });
    };
    const times = await timesOf('5');
    expect(await timesOf('5')).toEqual(times);
    expect(await timesOf('6')).not.toEqual(times);
    for (const ms of times) expect((ms >= 9 && ms <= 11) || (ms >= 18 && ms <= 22), `${ms} ms`).toBe(true);
    expect(times.some((ms) => ms >= 18)).toBe(true);
  });

  it('closes when the execution in flight has ended', async () => {
    const { clock, lane } = await laneOf({ curve: '4,0' });
    let closed = false;
    lane.run(batchOf([1, 2]), () => {});
    const closing = lane.close().then(() => {
      closed = true;
    });
    await Promise.resolve();
    expect(closed).toBe(false);
    clock.advance(4 * MS);
    await closing;
    expect(closed).toBe(true);
  });

  it.each([
    [{ curve: '4' }, /expected a curve a,c in ms.*got '4'/],
    [{ curve: '1,2', jitter: '1' }, /parameter jitter: expected a share below 1, got '1'/],
    [{ curve: '1,2', seed: 'x' }, /parameter seed: expected a whole number/],
    [{ curve: '1,2', threads: '3' }, /unknown parameter 'threads'; known: curve, jitter, seed/],
  ])('refuses the parameters %j', async (parameters: Record<string, string>, message) => {
    await expect(laneOf(parameters)).rejects.toThrow(message);
  });

  it.each([
    [
      'more outputs than inputs',
      { outputs: [tensorSpec('y', 'FP32', [2]), tensorSpec('z', 'FP32', [2])] },
      /2 outputs/,
    ],
    ['another data type', { outputs: [tensorSpec('y', 'INT32', [2])] }, /same data type and dims/],
    ['another shape', { outputs: [tensorSpec('y', 'FP32', [3])] }, /same data type and dims/],
    [
      'an optional input',
      { inputs: [tensorSpec('x', 'FP32', [2], { optional: true })] },
      /neither reshape nor optional/,
    ],
  ])('refuses a model with %s', async (_case, changes: Partial<ModelSpec>, message) => {
    await expect(laneOf({ curve: '1,1' }, modelSpec(changes))).rejects.toThrow(message);
  });
});
