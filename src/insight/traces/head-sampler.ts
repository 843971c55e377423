import type { ParentContext } from './trace-context.js';

/** How it is decided at its beginning whether a trace is kept. */
export interface HeadRules {
  /** Part of the traces that begin here, 0 to 1; of all where `followParent` is false. */
  readonly fraction: number;
  /** Do as the caller's `traceparent` says, where there is one. */
  readonly followParent: boolean;
}

/** The part of a trace id that has to be random: its last 56 bits, as hex digits. */
export const RANDOM_DIGITS = 14;
export const RANDOM_VALUES = 2 ** 56;

/**
 * Whether a trace is kept, by `randomness`, the last 56 bits of its id over 2^56: with one fraction everywhere, all who see the id
 * decide alike, and a larger fraction keeps what a smaller one does (OpenTelemetry, consistent probability sampling).
 */
export function keptByHead(rules: HeadRules, parent: ParentContext | undefined, randomness: number): boolean {
  if (parent !== undefined && rules.followParent) return parent.sampled;
  return randomness >= 1 - rules.fraction;
}

export function randomnessOf(traceId: string): number {
  return Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) / RANDOM_VALUES;
}
