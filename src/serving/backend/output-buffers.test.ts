import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Lease, lend } from '../../core/index.js';
import { OutputBuffers } from './output-buffers.js';

/** What a run does: it writes some bytes, so many readers keep them, and some readers of before let go. */
const run = fc.record({
  bytes: fc.integer({ min: 1, max: 300_000 }),
  keeps: fc.nat(3),
  letsGo: fc.array(fc.nat(), { maxLength: 4 }),
  atOnce: fc.boolean(),
});

interface Reader {
  readonly view: Uint8Array;
  readonly lease: Lease;
  readonly value: number;
}

class Made {
  ended = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: number) {
    this.bytes = new Uint8Array(bytes);
  }
}

function world() {
  const made: Made[] = [];
  const make = (bytes: number) => {
    const one = new Made(bytes);
    made.push(one);
    return one;
  };
  return { made, buffers: new OutputBuffers<Made>({ make, end: (one) => one.ended++ }) };
}

const intact = ({ view, value }: Reader) => view[0] === value && view.at(-1) === value;

describe('buffers of an output', () => {
  it('are never written while a reader keeps them, and all ended once nobody does', () => {
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 60 }), (runs) => {
        const { made, buffers } = world();
        const readers: Reader[] = [];
        const letGo = (at: number) => readers.splice(at % readers.length, 1)[0]?.lease.release();
        runs.forEach(({ bytes, keeps, letsGo, atOnce }, i) => {
          const value = i % 250;
          const view = buffers.take(bytes).bytes.subarray(0, bytes);
          view.fill(value);
          for (let reader = 0; reader < keeps; reader++) {
            readers.push({ view, value, lease: lend(view) as Lease });
            // While others of its batch have not read yet.
            if (atOnce) readers.pop()?.lease.release();
            expect([view[0], view.at(-1)]).toEqual([value, value]);
          }
          for (const at of letsGo) if (readers.length > 0) letGo(at);
          expect(readers.every(intact)).toBe(true);
        });
        buffers.close();
        expect(readers.every(intact)).toBe(true);
        while (readers.length > 0) letGo(0);
        expect(made.every(({ ended }) => ended > 0)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('are one where nobody keeps any, whatever fits it', () => {
    const { made, buffers } = world();
    for (const bytes of [40_000, 1, 20_000, 40_000]) buffers.take(bytes);
    expect(made).toHaveLength(1);
  });

  it('are used again when they are given back, at most a few times as large as what they are for', () => {
    const { made, buffers } = world();
    const first = lend(buffers.take(1_000_000).bytes);
    const second = lend(buffers.take(1_000_000).bytes);
    first?.release();
    second?.release();
    expect(made).toContain(buffers.take(900_000));
    expect(made).toHaveLength(2);
    expect(buffers.take(100_000).bytes.byteLength).toBe(100_000);
  });

  it('that lie free are few', () => {
    const { made, buffers } = world();
    const leases = Array.from({ length: 50 }, () => lend(buffers.take(1000).bytes));
    for (const lease of leases) lease?.release();
    expect(made.filter(({ ended }) => ended === 0)).toHaveLength(4);
  });

  it('refuse to be kept by who has let go', () => {
    const { buffers } = world();
    const lease = lend(buffers.take(10).bytes);
    lease?.release();
    expect(() => lease?.retain()).toThrow('has ended');
    expect(() => lease?.release()).toThrow('more often than retained');
  });
});

describe('memory that nobody lends', () => {
  it('has to be copied', () => {
    expect(lend(new Uint8Array(8))).toBeUndefined();
  });
});
