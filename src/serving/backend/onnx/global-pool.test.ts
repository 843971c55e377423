import { readdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import {
  batchOf,
  openRequest,
  outputsOf,
  realClock,
  silentLog,
  specOf,
  tensorOf,
} from '../../../../test/support/onnx-fixtures.js';
import type { OpenedModel } from '../../../core/index.js';
import { onnxNativeBackend } from './index.js';

// A file of its own: the library has one environment a process, made at its first load.
const backend = onnxNativeBackend({ log: silentLog, clock: realClock, globalThreads: 3 });
const opened: OpenedModel[] = [];

async function open(parameters: Record<string, string> = {}): Promise<OpenedModel> {
  const model = await backend.open(openRequest('cnn', { parameters }));
  opened.push(model);
  return model;
}

async function answer(model: OpenedModel): Promise<string> {
  const lane = await model.createLane(specOf('cnn', model.signature, 4), 0);
  const image = tensorOf(
    'image',
    'FP32',
    [2, 1, 8, 8],
    Float32Array.from({ length: 128 }, (_, i) => Math.sin(i)),
  );
  const outputs = await outputsOf(lane, batchOf([[image]]));
  return outputs.map(({ data }) => Buffer.from(data).toString('hex')).join();
}

const threads = () => readdirSync('/proc/self/task').length;

afterAll(async () => {
  await Promise.all(opened.map((model) => model.close()));
});

describe.runIf(process.platform === 'linux')('the threads that models share', () => {
  it('are as many however many models there are, and a model that names its own has those', async () => {
    const first = await open();
    const expected = await answer(first);
    const before = threads();
    for (let i = 0; i < 4; i++) expect(await answer(await open())).toBe(expected);
    expect(threads() - before).toBe(0);
    expect(await answer(await open({ intra_op_thread_count: '3' }))).toBe(expected);
    expect(threads() - before).toBe(2);
  });
});
