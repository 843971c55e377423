import { describe, expect, it } from 'vitest';
import { clientError } from './client-error.js';
import { PartQueue } from './part-queue.js';

const MIB = 1024 * 1024;
const lost = clientError('UNREACHABLE', 'gone');

/** A queue and what its sender was told. */
function queueOf(canWait: boolean) {
  const told: string[] = [];
  const queue = new PartQueue<number>();
  if (canWait) queue.source = { pause: () => told.push('pause'), resume: () => told.push('resume') };
  return { queue, told, parts: queue.read() };
}

describe('parts that wait to be read', () => {
  it('come in their order, then the end or the failure', async () => {
    for (const error of [undefined, lost]) {
      const { queue, parts } = queueOf(true);
      const first = parts.next();
      queue.push(1, 8);
      queue.push(2, 8);
      queue.end(error);
      queue.push(3, 8);
      queue.end(clientError('TIMEOUT', 'later'));
      expect([(await first).value, (await parts.next()).value]).toEqual([1, 2]);
      if (error === undefined) expect((await parts.next()).done).toBe(true);
      else await expect(parts.next()).rejects.toBe(lost);
    }
  });

  it.each([
    ['bytes', 3, MIB / 2],
    ['number', 65, 1],
  ])('pause their sender by their %s, once, and let it go on when half is read', async (_what, count, bytes) => {
    const { queue, told, parts } = queueOf(true);
    for (let i = 0; i < count; i++) queue.push(i, bytes);
    expect(told).toEqual(['pause']);
    for (let i = 0; i < Math.floor(count / 2); i++) await parts.next();
    expect(told).toEqual(['pause']);
    await parts.next();
    expect(told).toEqual(['pause', 'resume']);
  });

  it('fail where their sender cannot wait and they are too much to keep, but for one part of any size', async () => {
    const { queue, parts } = queueOf(false);
    queue.push(1, 100 * MIB);
    expect((await parts.next()).value).toBe(1);
    for (let i = 0; i < 65; i++) queue.push(i, MIB);
    await expect(parts.next()).rejects.toMatchObject({ reason: 'TOO_MUCH_UNREAD' });
  });

  it('are dropped when they are stopped, and a reader who waits is told', async () => {
    const { queue, parts } = queueOf(true);
    const waiting = parts.next();
    queue.stop(lost);
    await expect(waiting).rejects.toBe(lost);
    const other = queueOf(true);
    other.queue.push(1, 1);
    other.queue.stop(lost);
    await expect(other.parts.next()).rejects.toBe(lost);
  });
});
