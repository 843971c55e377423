import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../test/support/fake-clock.js';
import type { Lease } from '../../core/index.js';
import { Arena, type ArenaOptions } from './index.js';
import { LARGEST_BYTES } from './size-class.js';

const MIB = 1024 * 1024;
const POISON = 0xdb;

function arena(regions: number, options: Partial<ArenaOptions> = {}) {
  const clock = new FakeClock();
  const memory = new Uint8Array(new SharedArrayBuffer(regions * LARGEST_BYTES));
  return { clock, memory, arena: new Arena({ memory, clock, poison: POISON, ...options }) };
}

/** Leases until there is no more. */
function exhaust(from: Arena, bytes: number): Lease[] {
  const leases: Lease[] = [];
  for (let lease = from.lease(bytes); lease !== undefined; lease = from.lease(bytes)) leases.push(lease);
  return leases;
}

describe('arena', () => {
  it.each([0, 1, 256, 257, 4096, 4097, 600_000, MIB, LARGEST_BYTES])(
    'lends %i bytes at a 64-byte boundary',
    (bytes) => {
      const { arena: from } = arena(1);
      const lease = from.lease(bytes) as Lease;
      expect(lease.bytes.byteLength).toBeGreaterThanOrEqual(Math.max(bytes, 256));
      expect(lease.bytes.byteLength).toBeLessThanOrEqual(Math.max(256, 2 * bytes));
      expect(lease.bytes.byteOffset % 64).toBe(0);
      expect(from.leases).toBe(1);
      lease.release();
      expect(from.leases).toBe(0);
    },
  );

  it('lends nothing larger than its largest slot, and nothing where it has no memory', () => {
    expect(arena(1).arena.lease(LARGEST_BYTES + 1)).toBeUndefined();
    expect(arena(0).arena.lease(1)).toBeUndefined();
  });

  it('lends all its memory, then nothing, then again what came back', () => {
    const { arena: from } = arena(2);
    const leases = exhaust(from, MIB);
    expect(leases).toHaveLength(32);
    expect(from.lease(1)).toBeUndefined();
    leases[7]?.release();
    expect(from.lease(300)).toBeUndefined();
    expect(exhaust(from, MIB)).toHaveLength(1);
  });

  it('gives memory that one size does not use any more to another', () => {
    const { arena: from } = arena(3);
    for (const bytes of [256, MIB, 5000, LARGEST_BYTES, 70_000]) {
      const leases = exhaust(from, bytes);
      expect(leases.length * (leases[0] as Lease).bytes.byteLength).toBe(3 * LARGEST_BYTES);
      for (const lease of leases) lease.release();
    }
  });

  it('keeps bytes as long as one reference is left, and not longer', () => {
    const { arena: from } = arena(1);
    const lease = from.lease(1000) as Lease;
    const view = lease.bytes;
    view.fill(7);
    lease.retain();
    lease.release();
    expect(lease.bytes[999]).toBe(7);
    lease.release();
    expect(new Set(view)).toEqual(new Set([POISON]));
    expect((from.lease(1000) as Lease).bytes.byteOffset).toBe(view.byteOffset);
  });

  it('throws where a lease is used after its end', () => {
    const { arena: from } = arena(1);
    const lease = from.lease(10) as Lease;
    lease.release();
    expect(() => lease.release()).toThrow('more often than retained');
    expect(() => lease.retain()).toThrow('has ended');
    expect(() => lease.bytes).toThrow('has ended');
    expect(from.leases).toBe(0);
  });

  it('never lends the same byte twice, whatever the order of leases and releases', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('lease' as const), bytes: fc.integer({ min: 0, max: 3 * MIB }) }),
      fc.record({ kind: fc.constant('lease' as const), bytes: fc.integer({ min: 0, max: 5000 }) }),
      fc.record({ kind: fc.constant('release' as const), which: fc.nat() }),
      fc.record({ kind: fc.constant('rest' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { arena: from, clock, memory } = arena(3, { giveBackPages: (pages) => pages.fill(0) });
        const held: { lease: Lease; mark: number }[] = [];
        let mark = 0;
        const checkAndRelease = (index: number) => {
          const [one] = held.splice(index, 1);
          const { lease, mark: expected } = one as { lease: Lease; mark: number };
          const ends = [lease.bytes[0], lease.bytes[lease.bytes.byteLength - 1]];
          expect(ends).toEqual([expected, expected]);
          lease.release();
        };
        for (const next of steps) {
          if (next.kind === 'rest') clock.advance(11e9);
          else if (next.kind === 'release') {
            if (held.length > 0) checkAndRelease(next.which % held.length);
          } else {
            const lease = from.lease(next.bytes);
            if (lease === undefined) continue;
            mark = (mark % 200) + 1;
            for (const one of held) expect(overlap(one.lease.bytes, lease.bytes)).toBe(false);
            lease.bytes[0] = mark;
            lease.bytes[lease.bytes.byteLength - 1] = mark;
            held.push({ lease, mark });
          }
        }
        while (held.length > 0) checkAndRelease(0);
        expect(from.leases).toBe(0);
        expect(exhaust(from, LARGEST_BYTES)).toHaveLength(memory.byteLength / LARGEST_BYTES);
      }),
      { numRuns: 60 },
    );
  });

  it('gives back what was not used for a while, keeps what is, and sets no timer at rest', () => {
    let returned: [number, number][] = [];
    const giveBackPages = (pages: Uint8Array) => returned.push([pages.byteOffset, pages.byteOffset + pages.byteLength]);
    const { arena: from, clock } = arena(2, { giveBackPages, idleMs: 1000 });
    expect(clock.timers).toBe(0);
    const burst = Array.from({ length: 5 }, () => from.lease(MIB) as Lease);
    for (const lease of burst.reverse()) lease.release();
    clock.advance(1e9);
    expect(returned).toEqual([]);
    // One slot goes on being used, the four others rest.
    const busy = from.lease(MIB) as Lease;
    busy.release();
    clock.advance(1e9);
    expect(returned).toEqual([[MIB, 5 * MIB]]);
    returned = [];
    clock.advance(1e9);
    expect(returned).toEqual([[0, MIB]]);
    expect(clock.timers).toBe(0);
    const again = from.lease(MIB) as Lease;
    expect(again.bytes.byteOffset).toBe(0);
    again.release();
    expect(clock.timers).toBe(1);
    from.close();
    expect(clock.timers).toBe(0);
  });

  it('gives back what a region held before it served another size', () => {
    const returned: [number, number][] = [];
    const giveBackPages = (pages: Uint8Array) => returned.push([pages.byteOffset, pages.byteOffset + pages.byteLength]);
    const { arena: from, clock } = arena(1, { giveBackPages, idleMs: 1000 });
    (from.lease(LARGEST_BYTES) as Lease).release();
    const small = from.lease(MIB) as Lease;
    clock.advance(1e9);
    expect(returned).toEqual([[MIB, LARGEST_BYTES]]);
    small.release();
  });

  it('lends bytes that another thread reads and writes in place', async () => {
    const { arena: from } = arena(1);
    const lease = from.lease(1000) as Lease;
    lease.bytes[10] = 42;
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       const { buffer, place } = workerData;
       const bytes = new Uint8Array(buffer, place.offset, place.bytes);
       bytes[11] = bytes[10] + 1;
       parentPort.postMessage('done');`,
      { eval: true, workerData: { buffer: from.buffer, place: from.describe(lease) } },
    );
    await once(worker, 'message');
    expect(lease.bytes[11]).toBe(43);
    await worker.terminate();
  });
});

function overlap(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}
