import { bucketsOf, type ReleaseSplit, type RequestAttribute, type RouteSplit } from '../../core/index.js';
import { type AttributeSource, attributeReader, type ReadAttribute } from './attribute-reader.js';
import { bucketOf, type Draws, mixed, murmur3, rehashed } from './key-hash.js';
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
    // The requests of a sequence have to meet its state: they go one way, whatever the split goes by.
    const value = this.#read?.(from) ?? from.request.sequence?.id;
    return value === undefined ? draws.next() : murmur3(String(value), this.#seed);
  }
}

/** A split of the routes: which of its arms a request goes to. Some may be out: theirs go to the others, by their weights. */
export class ArmOfKey {
  readonly #hash: KeyHash;
  readonly #owner: Uint8Array;
  readonly #standIn: Uint8Array;

  /** `isOut`: of each arm; where all are, none is. */
  constructor({ arms, key, salt }: RouteSplit, isOut: readonly boolean[]) {
    const sizes = arms.map(({ percent }) => bucketsOf(percent));
    this.#hash = new KeyHash(key, salt);
    this.#owner = splitBuckets(sizes);
    this.#standIn = standIns(this.#owner, sizes, isOut);
  }

  bucket(from: AttributeSource, draws: Draws): number {
    return bucketOf(this.#hash.of(from, draws));
  }

  /** The arm of a bucket by the weights. */
  owner(bucket: number): number {
    return this.#owner[bucket] as number;
  }

  /** The arm that takes its requests now. */
  standIn(bucket: number): number {
    return this.#standIn[bucket] as number;
  }
}

/** Buckets of arms that are out, each to one of the others: no other bucket moves. */
function standIns(owner: Uint8Array, sizes: readonly number[], isOut: readonly boolean[]): Uint8Array {
  if (!isOut.includes(true)) return owner;
  const left = sizes.map((size, arm) => (isOut[arm] === true ? 0 : size));
  const total = left.reduce((sum, size) => sum + size, 0);
  if (total === 0) return owner;
  return owner.map((arm, bucket) => {
    if (isOut[arm] !== true) return arm;
    let at = (mixed(bucket + 1) / 2 ** 32) * total;
    return left.findIndex((size) => {
      at -= size;
      return at < 0;
    });
  });
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
