import { describe, expect, it } from 'vitest';
import { compiled } from '../../../../../test/support/compiled.js';
import type { BoundDevice } from './program-block.js';
import { STEP } from './run-program.js';

const ONNX = 'serving/backend/onnx';
const { ProgramThread } = await compiled<typeof import('./program-thread.js')>(`${ONNX}/bound/program-thread.js`);
const { loadOrtLibrary } = await compiled<typeof import('../library.js')>(`${ONNX}/library.js`);
const { NativeMemory } = await compiled<typeof import('../native-memory.js')>(`${ONNX}/native-memory.js`);

const MEMCPY: BoundDevice = { copies: 'memcpy', deviceId: 0 };
const { path } = loadOrtLibrary();

type Thread = InstanceType<typeof ProgramThread>;
const perform = (thread: Thread, ...words: number[]) =>
  new Promise<readonly [string | undefined, number, number]>((resolve) => {
    thread.perform(Float64Array.from(words), (error, step, result) => resolve([error?.reason, step, result]));
  });

describe('the thread of a bound lane', () => {
  it('makes the calls of a program in order', async () => {
    const thread = new ProgramThread(path, MEMCPY, 16, () => expect.unreachable());
    const [a, b, c] = [new NativeMemory(8), new NativeMemory(8), new NativeMemory(8)];
    a.bytes.set([1, 2, 3]);
    await thread.ready;
    const copies = [...[STEP.copyIn, b.address, a.address, 8], ...[STEP.copyOut, c.address, b.address, 8]];
    expect(await perform(thread, 2, ...copies)).toEqual([undefined, expect.anything(), 0]);
    expect([...c.bytes.subarray(0, 3)]).toEqual([1, 2, 3]);
    await thread.close();
  });

  it('tells of the program that it died in, and of each later one, and that it is gone', async () => {
    let lost = 0;
    const thread = new ProgramThread(path, MEMCPY, 16, () => lost++);
    await thread.ready;
    expect((await perform(thread, 1, 99, 0, 0, 0))[0]).toBe('EXECUTOR_LOST');
    expect((await perform(thread, 0))[0]).toBe('EXECUTOR_LOST');
    await thread.close();
    expect(lost).toBe(1);
  });

  it.each([
    ['the library does not load', '/nowhere/libonnxruntime.so.1', MEMCPY],
    ['CUDA is not to be had', path, { copies: 'cuda', deviceId: 0 } as const],
  ])('says that it cannot run where %s', async (_, library, device) => {
    const thread = new ProgramThread(library, device, 16, () => {});
    await expect(thread.ready).rejects.toMatchObject({ reason: 'UNSUPPORTED' });
    await thread.close();
  });
});
