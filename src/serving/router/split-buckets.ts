import { BUCKETS } from '../../core/index.js';

/**
 * Which arm has which bucket. `sizes`: buckets of each arm, sum 10,000. The first arm has what the others leave. The others
 * stand in pairs, each pair in a zone of its own, one of the two filling it upwards from its start and the other one downwards from
 * its end. So, of the weights of all arms but the first:
 *
 * - while those of no pair exceed their zone (with up to three arms that is always; else 100 % over the number of pairs),
 *   a change of one weight moves keys between that arm and the first only;
 * - beyond, an arm takes buckets of other zones too, and other keys may move; an arm whose weight alone is raised still keeps
 *   every key it had.
 *
 * More cannot be had of weights alone: with four arms, each would need the part that any other leaves free.
 */
export function splitBuckets(sizes: readonly number[]): Uint8Array {
  const owner = new Uint8Array(BUCKETS);
  const zones = Math.ceil((sizes.length - 1) / 2);
  const waiting: { readonly arm: number; readonly buckets: number }[] = [];
  for (let zone = 0; zone < zones; zone++) {
    const start = Math.floor((zone * BUCKETS) / zones);
    const end = Math.floor(((zone + 1) * BUCKETS) / zones);
    const [up, down] = [2 * zone + 1, 2 * zone + 2];
    const [rising, falling] = [sizes[up] as number, sizes[down] ?? 0];
    const half = Math.floor((end - start) / 2);
    const upHome = Math.min(rising, Math.max(half, end - start - falling));
    const downHome = Math.min(falling, Math.max(end - start - half, end - start - rising));
    owner.fill(up, start, start + upHome);
    owner.fill(down, end - downHome, end);
    waiting.push({ arm: up, buckets: rising - upHome }, { arm: down, buckets: falling - downHome });
  }
  for (const { arm, buckets } of waiting) {
    let left = buckets;
    for (let bucket = 0; left > 0 && bucket < BUCKETS; bucket++) {
      if (owner[bucket] !== 0) continue;
      owner[bucket] = arm;
      left--;
    }
  }
  return owner;
}
