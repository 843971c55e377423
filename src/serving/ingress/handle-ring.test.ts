import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HandleRing } from './handle-ring.js';

const ringOf = (capacity: number) => {
  const memory = new SharedArrayBuffer(HandleRing.bytes(capacity));
  return { producer: new HandleRing(memory), consumer: new HandleRing(memory), memory };
};

describe('a ring of handles', () => {
  it('loses nothing, doubles nothing, keeps order and bound, and wakes whoever sleeps over something', () => {
    const step = fc.constantFrom('push', 'push', 'pop', 'pop', 'sleep', 'wake');
    fc.assert(
      fc.property(fc.nat(5), fc.array(step, { maxLength: 400 }), (bits, steps) => {
        const capacity = 2 ** bits;
        const { producer, consumer } = ringOf(capacity);
        const inside: number[] = [];
        let next = 0;
        let asleep = false;
        for (const what of steps) {
          if (what === 'push') {
            expect(producer.push(next)).toBe(inside.length < capacity);
            if (inside.length < capacity) inside.push(next++);
          } else if (what === 'pop') {
            // A consumer that sleeps does nothing until it is woken.
            if (!asleep) expect(consumer.pop()).toBe(inside.shift() ?? -1);
          } else if (what === 'sleep') {
            if (asleep) continue;
            const slept = consumer.sleep();
            expect(slept).toBe(inside.length === 0);
            asleep = slept;
          } else {
            expect(producer.takeWake()).toBe(asleep);
            asleep = false;
          }
        }
        if (asleep) consumer.sleep();
        while (inside.length > 0) expect(consumer.pop()).toBe(inside.shift());
        expect(consumer.pop()).toBe(-1);
      }),
      { numRuns: 3000 },
    );
  });

  it('goes on past the wrap of its counters', () => {
    const { producer, consumer, memory } = ringOf(4);
    const words = new Int32Array(memory);
    words[0] = 2 ** 31 - 3;
    words[16] = 2 ** 31 - 3;
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 4; i++) expect(producer.push(round * 4 + i)).toBe(true);
      expect(producer.push(99)).toBe(false);
      for (let i = 0; i < 4; i++) expect(consumer.pop()).toBe(round * 4 + i);
      expect(consumer.pop()).toBe(-1);
    }
  });

  it('refuses a capacity that is no power of two', () => {
    expect(() => HandleRing.bytes(3)).toThrow(/power of two/);
    expect(() => HandleRing.bytes(0)).toThrow(/power of two/);
  });

  it('carries numbers between two threads, each with what was written before it', async () => {
    const capacity = 64;
    const count = 30_000;
    const { consumer, memory } = ringOf(capacity);
    // The value of number i lies in a place that is written anew 128 numbers later, when the ring has long let i go.
    const places = 2 * capacity;
    const values = new Float64Array(new SharedArrayBuffer(places * 8));
    const ring = new URL('../../../dist/serving/ingress/handle-ring.js', import.meta.url).href;
    const producer = new Worker(
      `import('${ring}').then(({ HandleRing }) => {
        const { memory, values, count, places } = require('node:worker_threads').workerData;
        const ring = new HandleRing(memory);
        const idle = new Int32Array(new SharedArrayBuffer(4));
        for (let i = 0; i < count; i++) {
          values[i % places] = 3 * i;
          while (!ring.push(i)) Atomics.wait(idle, 0, 0, 1);
        }
      });`,
      { eval: true, workerData: { memory, values, count, places } },
    );
    let wrong = 0;
    for (let next = 0; next < count; ) {
      const handle = consumer.pop();
      if (handle < 0) {
        await new Promise(setImmediate);
        continue;
      }
      if (handle !== next || values[handle % places] !== 3 * handle) wrong++;
      next++;
    }
    expect(wrong).toBe(0);
    expect(consumer.pop()).toBe(-1);
    await producer.terminate();
  });
});
