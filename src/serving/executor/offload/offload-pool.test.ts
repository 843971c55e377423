import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { compiled } from '../../../../test/support/compiled.js';
import type { ServingError } from '../../../core/index.js';
import type { OffloadPool } from './offload-pool.js';

const { createOffload } = await compiled<typeof import('../index.js')>('serving/executor/index.js');
const MODULE = new URL('../../../../test/fixtures/offload-tasks.mjs', import.meta.url);
const TASKS = {
  decodeV2Json: MODULE,
  decodePredict: MODULE,
  decodeGenerate: MODULE,
  decodePlain: MODULE,
  picturesToRows: MODULE,
  decodeTexts: MODULE,
  tokenize: MODULE,
  detokenize: MODULE,
  inspectTokenizer: MODULE,
};

const pools: OffloadPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function pool(threads = 1, maxQueue = 2): OffloadPool {
  const created = createOffload({ threads, maxQueue, tasks: TASKS });
  pools.push(created);
  return created;
}

const text = (value: string) => new TextEncoder().encode(value);
const json = (offload: OffloadPool, body: Uint8Array, jsonBytes = 0, signal?: AbortSignal) =>
  offload.run('decodeV2Json', { body, jsonBytes, allowNan: false, binaryByDefault: false }, signal);
const reason = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: ServingError) => error.reason,
  );

/** A task that holds its thread until it is let go. */
function hold(offload: OffloadPool, signal?: AbortSignal) {
  const gate = new Int32Array(new SharedArrayBuffer(8));
  const result = json(offload, text('hold'), gate.buffer as never, signal);
  return {
    result,
    begun: async () => {
      // Node 20 has it; the `lib` that we compile against does not.
      const { waitAsync } = Atomics as unknown as {
        waitAsync(...of: [Int32Array, number, number]): { value: unknown };
      };
      await waitAsync(gate, 0, 0).value;
    },
    letGo: () => {
      Atomics.store(gate, 1, 1);
      Atomics.notify(gate, 1);
    },
  };
}

describe('offload pool', () => {
  it('inflates in a thread and takes the body along', async () => {
    const body = new Uint8Array(gzipSync('hello'.repeat(1000)));
    const output = await pool().run('decompress', { encoding: 'gzip', body, maxBytes: 10_000 });
    expect(new TextDecoder().decode(output)).toBe('hello'.repeat(1000));
    expect(body.byteLength).toBe(0);
  });

  it('leaves memory alone that others share with the body', async () => {
    const all = new Uint8Array(100);
    all.set(text('part'), 10);
    const output = (await json(pool(), all.subarray(10, 14))) as { text: string };
    expect(output.text).toBe('part');
    expect(all.byteLength).toBe(100);
  });

  it('runs the task of another room and returns what it gave, buffers shared as they were', async () => {
    const output = (await json(pool(), text('abc'), 7)) as {
      text: string;
      jsonBytes: number;
      tensors: [{ data: Uint8Array }, { buffer: ArrayBuffer }];
    };
    expect(output.text).toBe('abc');
    expect(output.jsonBytes).toBe(7);
    expect(new Float32Array(output.tensors[1].buffer)).toEqual(new Float32Array([1, 2, 3]));
    expect(output.tensors[0].data.buffer).toBe(output.tensors[1].buffer);
  });

  it('rebuilds an error of a task with its reason, and hides the message of a foreign one', async () => {
    const offload = pool();
    const bomb = gzipSync(new Uint8Array(1_000_000));
    const refused = offload.run('decompress', { encoding: 'gzip', body: bomb, maxBytes: 10 });
    await expect(refused).rejects.toMatchObject({
      name: 'ServingError',
      reason: 'BODY_TOO_LARGE',
      message: 'the gzip body inflates to more than the limit of 10 bytes',
    });
    const foreign = json(offload, text('throw'));
    await expect(foreign).rejects.toMatchObject({ reason: 'INTERNAL' });
    await expect(foreign).rejects.not.toThrow('secret');
  });

  it('refuses with OVERLOADED past its bound, and goes on after', async () => {
    const offload = pool(1, 1);
    const held = hold(offload);
    const waiting = json(offload, text('waits'));
    expect(await reason(json(offload, text('too many')))).toBe('OVERLOADED');
    held.letGo();
    expect(await held.result).toBe('held');
    expect(await waiting).toMatchObject({ text: 'waits' });
  });

  it('drops a cancelled task that waits, and lets one that runs end on its thread', async () => {
    const offload = pool(1, 1);
    const running = new AbortController();
    const waiting = new AbortController();
    const held = hold(offload, running.signal);
    await held.begun();
    const second = json(offload, text('second'), 0, waiting.signal);
    waiting.abort();
    expect(await reason(second)).toBe('CLIENT_CANCELLED');
    running.abort();
    expect(await reason(held.result)).toBe('CLIENT_CANCELLED');
    const third = json(offload, text('third'));
    held.letGo();
    expect(await third).toMatchObject({ text: 'third' });
    expect(await reason(json(offload, text('late'), 0, AbortSignal.abort()))).toBe('CLIENT_CANCELLED');
  });

  it('survives a thread that dies: its task fails, the next one runs', async () => {
    const offload = pool();
    expect(await reason(json(offload, text('exit')))).toBe('INTERNAL');
    expect(await json(offload, text('next'))).toMatchObject({ text: 'next' });
  });

  it('close waits for accepted tasks and refuses new ones', async () => {
    const offload = pool(1, 2);
    const held = hold(offload);
    const waiting = json(offload, text('waits'));
    const closed = offload.close();
    expect(await reason(json(offload, text('late')))).toBe('DRAINING');
    held.letGo();
    await closed;
    expect(await held.result).toBe('held');
    expect(await waiting).toMatchObject({ text: 'waits' });
  });

  it('does not hold the event loop while a large body inflates', async () => {
    const offload = pool();
    await json(offload, text('warm'));
    const body = new Uint8Array(gzipSync(new Uint8Array(200_000_000)));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const output = await offload.run('decompress', { encoding: 'gzip', body, maxBytes: 200_000_000 });
    clearInterval(timer);
    expect(output.byteLength).toBe(200_000_000);
    expect(ticks).toBeGreaterThan(3);
  });
});
