import { RANDOM_DIGITS, RANDOM_VALUES } from './head-sampler.js';

/** 0 to 1, without 1. */
export type Random = () => number;

/** A trace id whose last 56 bits are `randomness` x 2^56: they decided about it before there was an id. */
export function traceIdOf(randomness: number, random: Random): string {
  const start = hex(1 + random() * (2 ** 36 - 1), 9) + hex(random() * 2 ** 36, 9);
  return start + hex(randomness * RANDOM_VALUES, RANDOM_DIGITS);
}

/** Never all zeros. */
export function newSpanId(random: Random): string {
  return hex(1 + random() * (2 ** 32 - 1), 8) + hex(random() * 2 ** 32, 8);
}

/** Of a number below 16^digits. */
function hex(value: number, digits: number): string {
  return Math.floor(value).toString(16).padStart(digits, '0');
}
