import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { SpanQueue } from './span-queue.js';

const spans = (count: number) => Array.from({ length: count }, () => ({}) as ReadableSpan);

function setup(maxWaiting = 1000) {
  const sent: number[] = [];
  const counts: Record<string, number> = { exported: 0, queue_full: 0, export_failed: 0, exit: 0 };
  const waiting: { resolve: () => void; reject: (why: unknown) => void }[] = [];
  const queue = new SpanQueue({
    send: (bunch) => {
      sent.push(bunch.length);
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    maxWaiting,
    exported: (count) => {
      counts.exported! += count;
    },
    lost: (cause, count) => {
      counts[cause]! += count;
    },
    failed: () => {},
  });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { queue, sent, counts, waiting, turn };
}

describe('the queue of spans', () => {
  it('sends one bunch at a time, and what came meanwhile after it', async () => {
    const { queue, sent, counts, waiting, turn } = setup();
    queue.add(spans(5));
    queue.go();
    queue.add(spans(600));
    queue.go();
    expect(sent).toEqual([5]);
    waiting.shift()?.resolve();
    await turn();
    expect(sent).toEqual([5, 512]);
    waiting.shift()?.resolve();
    await turn();
    expect([sent, counts.exported]).toEqual([[5, 512, 88], 517]);
  });

  it('takes all spans of a trace or none, and counts what it did not take', () => {
    const { queue, counts } = setup(10);
    queue.add(spans(6));
    queue.add(spans(6));
    queue.add(spans(4));
    expect(counts.queue_full).toBe(6);
  });

  it('counts what the collector did not take, and goes on', async () => {
    const { queue, counts, waiting, turn, sent } = setup();
    queue.add(spans(3));
    queue.go();
    waiting.shift()?.reject(new Error('no'));
    await turn();
    queue.add(spans(4));
    queue.go();
    waiting.shift()?.resolve();
    await turn();
    expect([sent, counts]).toEqual([[3, 4], { exported: 4, queue_full: 0, export_failed: 3, exit: 0 }]);
  });

  it('ends when it is late, however long an export takes', async () => {
    const { queue, counts, turn } = setup();
    queue.add(spans(600));
    queue.add(spans(3));
    await queue.flush(turn());
    expect(counts).toMatchObject({ exit: 91, exported: 0 });
  });
});
