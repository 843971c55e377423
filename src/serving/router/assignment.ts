import { bucketsOf, type ReleaseSplit, type RequestAttribute, type RouteSplit } from '../../core/index.js';
import { type AttributeSource, attributeReader, type ReadAttribute } from './attribute-reader.js';
import { bucketOf, type Draws, murmur3, rehashed } from './key-hash.js';
import { splitBuckets } from './split-buckets.js';

/** Hashes the keys of one split, or draws where there is none. */
class KeyHash {
  readonly #read: ReadAttribute | undefined;
  readonly #seed: number;

  constructor(key: RequestAttribute | undefined, salt: string) {
    this.#read = key && attributeReader(key);
    this.#seed = murmur3(salt, 0);
  }

  of(from: AttributeSource, draws: Draws): number {
    const value = this.#read?.(from);
    return value === undefined ? draws.next() : murmur3(String(value), this.#seed);
  }
}

/** A split of the routes: which of its arms a request goes to. */
export class ArmOfKey {
  readonly #hash: KeyHash;
  readonly #owner: Uint8Array;

  constructor({ arms, key, salt }: RouteSplit) {
    this.#hash = new KeyHash(key, salt);
    this.#owner = splitBuckets(arms.map(({ percent }) => bucketsOf(percent)));
  }

  of(from: AttributeSource, draws: Draws): number {
    return this.#owner[bucketOf(this.#hash.of(from, draws))] as number;
  }
}

export type ReleaseSide = 'candidate' | 'baseline' | 'baseline-and-shadow';

/** A rollout's split of what would go to its baseline. */
export class SideOfKey {
  readonly #hash: KeyHash;
  readonly #canaryBuckets: number;
  readonly #shadowBuckets: number;

  constructor({ key, salt, canaryBuckets, shadowBuckets }: ReleaseSplit) {
    this.#hash = new KeyHash(key, salt);
    this.#canaryBuckets = canaryBuckets;
    this.#shadowBuckets = shadowBuckets;
  }

  of(from: AttributeSource, draws: Draws): ReleaseSide {
    const hash = this.#hash.of(from, draws);
    if (bucketOf(hash) < this.#canaryBuckets) return 'candidate';
    return bucketOf(rehashed(hash)) < this.#shadowBuckets ? 'baseline-and-shadow' : 'baseline';
  }
}
