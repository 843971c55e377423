import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../../test/support/fake-clock.js';
import { type LeaseSource, setBytes } from '../../../core/index.js';
import { Arena } from '../../arena/index.js';
import { ByteBudget } from '../byte-budget.js';
import { BodyBuffer, type BodyOptions } from './body-buffer.js';

const MIB = 1024 * 1024;

function arena(): Arena {
  const memory = new Uint8Array(new SharedArrayBuffer(64 * MIB));
  return new Arena({ memory, clock: new FakeClock(), poison: 0xdb });
}

function body(options: Partial<BodyOptions>) {
  const budget = new ByteBudget(64 * MIB);
  const gathered = new BodyBuffer({
    budget,
    memory: undefined,
    maxBytes: 32 * MIB,
    declaredBytes: -1,
    jsonBytes: 0,
    ...options,
  });
  return { budget, gathered };
}

const chunk = (bytes: number, value = 1) => new Uint8Array(bytes).fill(value).buffer;

describe('body buffer', () => {
  it('gives the bytes of all chunks in order, tensors aligned, wherever they lie', () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 * MIB })), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        sizes,
        fc.nat(300),
        fc.constantFrom('right', 'none', 'wrong'),
        fc.boolean(),
        (parts, json, said, pooled) => {
          const memory = pooled ? arena() : undefined;
          const total = parts.reduce((sum, part) => sum + part, 0);
          const declaredBytes = said === 'right' ? total : said === 'none' ? -1 : Math.floor(total / 2);
          const { gathered, budget } = body({ memory, declaredBytes, jsonBytes: json });
          parts.forEach((part, i) => {
            gathered.append(chunk(part, i + 1), i === parts.length - 1);
          });
          const bytes = gathered.bytes();
          expect(bytes.byteLength).toBe(total);
          let at = 0;
          parts.forEach((part, i) => {
            if (part > 0) expect([bytes[at], bytes[at + part - 1]]).toEqual([i + 1, i + 1]);
            at += part;
          });
          if (gathered.lease !== undefined) expect((bytes.byteOffset + json) % 64).toBe(0);
          expect(gathered.lease === undefined).toBe(!pooled);
          expect(budget.takenBytes).toBeGreaterThanOrEqual(total);
          gathered.release();
          expect([budget.takenBytes, memory?.leases ?? 0]).toEqual([0, 0]);
        },
      ),
      {
        numRuns: 60,
        // Twice what has come is more than the largest slot.
        examples: [[[1008109, 17, 2097138, 1938164, 1247680, 2097138, 300, 0], 1, 'wrong', true]],
      },
    );
  });

  it('copies a body of which the length was said and that fits a mebibyte once', () => {
    const leased: number[] = [];
    const pool = arena();
    const memory: LeaseSource = {
      copy: setBytes,
      lease(bytes) {
        leased.push(bytes);
        return pool.lease(bytes);
      },
    };
    const { gathered } = body({ memory, declaredBytes: 602_112 + 100, jsonBytes: 100 });
    for (let sent = 0; sent < 602_212; sent += 150_553) gathered.append(chunk(150_553), sent + 150_553 === 602_212);
    expect(leased).toEqual([602_212 + 28]);
  });

  it.each([
    ['pooled', MIB],
    ['garbage-collected', 64 * 1024],
  ])('takes of %s memory little more than has arrived, whatever was declared', (kind, first) => {
    const pool = arena();
    const most: number[] = [];
    const memory: LeaseSource = {
      copy: setBytes,
      lease(bytes) {
        most.push(bytes);
        return pool.lease(bytes);
      },
    };
    const { gathered, budget } = body({ memory: kind === 'pooled' ? memory : undefined, declaredBytes: 30 * MIB });
    let arrived = 0;
    for (const bytes of [2, 5000, 60_000, MIB, MIB]) {
      gathered.append(chunk(bytes), false);
      arrived += bytes;
      expect(Math.max(0, ...most)).toBeLessThanOrEqual(Math.max(first, 2 * arrived + MIB));
      expect(budget.takenBytes).toBeLessThanOrEqual(Math.max(64 * 1024, 2 * arrived));
    }
    gathered.release();
  });

  it('goes on in garbage-collected memory where the pool has none, within the budget', () => {
    const pool = arena();
    const { gathered, budget } = body({ memory: pool, declaredBytes: 20 * MIB });
    for (let i = 1; i <= 20; i++) gathered.append(chunk(MIB, i), i === 20);
    expect(gathered.lease).toBeUndefined();
    expect(pool.leases).toBe(0);
    expect(gathered.bytes()[19 * MIB]).toBe(20);
    expect(budget.takenBytes).toBe(20 * MIB);
    const next = new BodyBuffer({ budget, memory: pool, maxBytes: 64 * MIB, declaredBytes: -1, jsonBytes: 0 });
    expect(() => next.append(chunk(45 * MIB), true)).toThrow('do not fit now');
    next.release();
    gathered.release();
    expect([budget.takenBytes, pool.leases]).toEqual([0, 0]);
  });
});
