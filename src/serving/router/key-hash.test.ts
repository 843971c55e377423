import { describe, expect, it } from 'vitest';
import { bucketOf, Draws, murmur3, rehashed } from './key-hash.js';

const hex = (hash: number) => hash.toString(16).padStart(8, '0');

/** Sum of squared deviations of counts over what is expected of each. */
function chiSquare(counts: ArrayLike<number>, total: number): number {
  const expected = total / counts.length;
  return Array.from(counts).reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('the hash of keys', () => {
  it('is MurmurHash3, by vectors of other implementations', () => {
    // Of SMHasher's verification vectors and Python's mmh3.
    expect(
      (
        [
          ['', 0],
          ['', 1],
          ['', 0xffffffff],
          ['test', 0],
          ['test', 0x9747b28c],
          ['Hello, world!', 0x9747b28c],
          ['The quick brown fox jumps over the lazy dog', 0x9747b28c],
          ['a', 0x9747b28c],
          ['aa', 0x9747b28c],
          ['aaa', 0x9747b28c],
          ['aaaa', 0x9747b28c],
          ['ππππππππ', 0x9747b28c],
        ] as const
      ).map(([text, seed]) => hex(murmur3(text, seed))),
    ).toEqual([
      '00000000',
      '514e28b7',
      '81f16f39',
      'ba6bd213',
      '704b81dc',
      '24884cba',
      '2fa826cd',
      '7fa09ea6',
      '5d211726',
      '283e0130',
      '5a97808a',
      'd58063c1',
    ]);
  });

  it('reads texts as their UTF-8 bytes, of any length and alphabet', () => {
    // By a few lines of Python over `text.encode()`.
    expect(['é', '漢字', '🜂', 'a🜂b'].map((text) => hex(murmur3(text, 7)))).toEqual([
      '129d2dd6',
      '96ac3da1',
      'eaf09041',
      'b6bb493a',
    ]);
    expect(murmur3('x\ud800y', 7)).toBe(murmur3('x\ufffdy', 7));
  });

  it('spreads keys evenly, and the sides of one key independently of each other', () => {
    const seed = murmur3('salt', 0);
    const fine = new Uint32Array(100);
    const pairs = new Uint32Array(100);
    for (let i = 0; i < 100_000; i++) {
      const hash = murmur3(`user-${i}`, seed);
      const bucket = bucketOf(hash);
      const cell = Math.floor(bucket / 100);
      fine[cell] = (fine[cell] as number) + 1;
      const pair = Math.floor(bucket / 1000) * 10 + Math.floor(bucketOf(rehashed(hash)) / 1000);
      pairs[pair] = (pairs[pair] as number) + 1;
    }
    // 99 degrees of freedom: 0.9999 of all samples lie below 159.
    expect(chiSquare(fine, 100_000)).toBeLessThan(159);
    expect(chiSquare(pairs, 100_000)).toBeLessThan(159);
  });

  it('draws evenly and alike after each start', () => {
    const [draws, again] = [new Draws(), new Draws()];
    const counts = new Uint32Array(100);
    for (let i = 0; i < 100_000; i++) {
      const cell = Math.floor(bucketOf(draws.next()) / 100);
      counts[cell] = (counts[cell] as number) + 1;
    }
    expect(chiSquare(counts, 100_000)).toBeLessThan(159);
    expect(Array.from({ length: 3 }, () => again.next())).toEqual(
      ((start) => [start.next(), start.next(), start.next()])(new Draws()),
    );
  });
});
