import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesCopied, copyBytes } from './byte-copy.js';

const SIZE = 3000;
const buffers = { own: () => new ArrayBuffer(SIZE), shared: () => new SharedArrayBuffer(SIZE) };
const side = fc.constantFrom('own', 'shared');

describe('copied bytes', () => {
  it('are the same as JavaScript copies, whichever side is shared, whatever the alignment', () => {
    const place = fc.record({ start: fc.nat(64), end: fc.nat(64), at: fc.nat(SIZE), bytes: fc.nat(SIZE) });
    fc.assert(
      fc.property(side, side, place, fc.boolean(), (from, to, { start, end, at, bytes }, whole) => {
        const all = new Uint8Array(buffers[from]());
        for (let i = 0; i < SIZE; i++) all[i] = (i * 31 + 7) % 251;
        const source = whole && from === 'own' ? (all.buffer as ArrayBuffer) : all.subarray(start, start + bytes);
        const target = new Uint8Array(buffers[to]()).fill(255).subarray(start, SIZE - end);
        const expected = new Uint8Array(target.byteLength).fill(255);
        const fits = at + source.byteLength <= target.byteLength;
        const before = bytesCopied();
        if (!fits) {
          expect(() => copyBytes(target, at, source)).toThrow(RangeError);
          return;
        }
        copyBytes(target, at, source);
        expected.set(new Uint8Array(source), at);
        expect(Buffer.compare(target, expected)).toBe(0);
        const native = source.byteLength > 0 && (from === 'shared' || to === 'shared');
        expect(bytesCopied() - before).toBe(native ? source.byteLength : 0);
      }),
      { numRuns: 500 },
    );
  });

  it('are refused before the target', () => {
    expect(() => copyBytes(new Uint8Array(new SharedArrayBuffer(8), 4), -1, new Uint8Array(1))).toThrow(RangeError);
  });
});
