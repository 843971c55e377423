import { BUCKETS } from '../../core/index.js';

/**
 * MurmurHash3 (x86, 32 bits) of the UTF-8 bytes of a text, as published by Austin Appleby; lone surrogates count as U+FFFD,
 * as encoders write them. No allocation. It decides which version a caller gets, so its values must never change.
 */
export function murmur3(text: string, seed: number): number {
  let hash = seed | 0;
  let block = 0;
  let bits = 0;
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    let point = text.charCodeAt(i);
    if (point >= 0xd800 && point <= 0xdfff) {
      point = text.codePointAt(i) as number;
      if (point > 0xffff) i++;
      else point = 0xfffd;
    }
    // The bytes of a character, its first in the low bits.
    let encoded = point;
    let left = 1;
    if (point >= 0x10000) {
      encoded =
        0x808080f0 | (point >> 18) | ((point >> 4) & 0x3f00) | ((point << 10) & 0x3f0000) | ((point & 0x3f) << 24);
      left = 4;
    } else if (point >= 0x800) {
      encoded = 0x8080e0 | (point >> 12) | ((point << 2) & 0x3f00) | ((point & 0x3f) << 16);
      left = 3;
    } else if (point >= 0x80) {
      encoded = 0x80c0 | (point >> 6) | ((point & 0x3f) << 8);
      left = 2;
    }
    for (; left > 0; left--) {
      block |= (encoded & 0xff) << bits;
      encoded >>>= 8;
      bits += 8;
      bytes++;
      if (bits === 32) {
        hash ^= scrambled(block);
        hash = (hash << 13) | (hash >>> 19);
        hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
        block = 0;
        bits = 0;
      }
    }
  }
  if (bits > 0) hash ^= scrambled(block);
  return mixed(hash ^ bytes);
}

function scrambled(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}

/** MurmurHash3's last step: each bit of the result depends on every bit. A bijection of 32 bits. */
export function mixed(hash: number): number {
  let h = hash;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** The bucket of a hash, 0 to 9,999, all equally likely to within two in a million. */
export function bucketOf(hash: number): number {
  return Math.floor((hash * BUCKETS) / 2 ** 32);
}

/** Another hash of the same key, independent of the first: which side it is on says nothing of whether it is copied. */
export function rehashed(hash: number): number {
  return mixed(hash + 0x9e3779b9);
}

/**
 * Hashes for requests without a key: a sequence that visits every value of 32 bits once before it repeats, the same after each
 * start.
 */
export class Draws {
  #count = 0;

  next(): number {
    this.#count = (this.#count + 0x9e3779b9) | 0;
    return mixed(this.#count);
  }
}
