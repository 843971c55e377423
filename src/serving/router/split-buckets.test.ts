import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitBuckets } from './split-buckets.js';

/** Sizes of `arms` arms, the first one what the others leave. */
const sizesOf = (parts: readonly number[]): number[] => {
  const total = parts.reduce((a, b) => a + b, 0);
  const scaled = parts.map((part) => Math.floor((part * 10_000) / Math.max(1, total)));
  const others = scaled.slice(1);
  return [10_000 - others.reduce((a, b) => a + b, 0), ...others];
};

const weights = (least: number, most: number) =>
  fc.array(fc.nat(1000), { minLength: least, maxLength: most }).map((parts) => sizesOf([1, ...parts]));

/** How many keys went from one arm to another, by `from>to`. */
function moves(before: Uint8Array, after: Uint8Array): Set<string> {
  const seen = new Set<string>();
  for (let i = 0; i < before.length; i++) if (before[i] !== after[i]) seen.add(`${before[i]}>${after[i]}`);
  return seen;
}

const changed = (sizes: readonly number[], arm: number, to: number) => {
  const others = sizes.map((size, i) => (i === arm ? to : size)).slice(1);
  return [10_000 - others.reduce((a, b) => a + b, 0), ...others];
};

describe('buckets of a split', () => {
  it('are as many as each arm asks for', () => {
    fc.assert(
      fc.property(weights(1, 8), (sizes) => {
        const counted = new Array(sizes.length).fill(0);
        for (const arm of splitBuckets(sizes)) counted[arm]++;
        expect(counted).toEqual(sizes);
      }),
    );
  });

  it('move between the changed arm and the first only, with up to three arms', () => {
    fc.assert(
      fc.property(weights(1, 2), fc.nat(1), fc.nat(10_000), (sizes, which, size) => {
        const arm = 1 + (which % (sizes.length - 1));
        const to = Math.min(size, (sizes[arm] as number) + (sizes[0] as number));
        const grows = to > (sizes[arm] as number);
        for (const move of moves(splitBuckets(sizes), splitBuckets(changed(sizes, arm, to))))
          expect(move).toBe(grows ? `0>${arm}` : `${arm}>0`);
      }),
    );
  });

  it('do so with more arms too while each pair stays within its zone', () => {
    const zones = (arms: number) => Math.floor(10_000 / Math.ceil((arms - 1) / 2));
    const arbitrary = fc.integer({ min: 4, max: 9 }).chain((arms) =>
      fc.record({
        sizes: fc
          .array(fc.integer({ min: 0, max: Math.floor(zones(arms) / 2) - 1 }), {
            minLength: arms - 1,
            maxLength: arms - 1,
          })
          .map((others) => [10_000 - others.reduce((a, b) => a + b, 0), ...others]),
        arm: fc.integer({ min: 1, max: arms - 1 }),
        to: fc.integer({ min: 0, max: Math.floor(zones(arms) / 2) - 1 }),
      }),
    );
    fc.assert(
      fc.property(arbitrary, ({ sizes, arm, to }) => {
        const grows = to > (sizes[arm] as number);
        for (const move of moves(splitBuckets(sizes), splitBuckets(changed(sizes, arm, to))))
          expect(move).toBe(grows ? `0>${arm}` : `${arm}>0`);
      }),
    );
  });

  it('stay with an arm whose weight alone is raised, whatever the weights', () => {
    fc.assert(
      fc.property(weights(3, 8), fc.nat(7), fc.nat(10_000), (sizes, which, more) => {
        const arm = 1 + (which % (sizes.length - 1));
        const to = (sizes[arm] as number) + Math.min(more, sizes[0] as number);
        const before = splitBuckets(sizes);
        const after = splitBuckets(changed(sizes, arm, to));
        expect([...before].every((one, bucket) => one !== arm || after[bucket] === arm)).toBe(true);
      }),
    );
  });
});
