import type { ReleaseFacts } from '../core/index.js';

/** Facts of releases for all who want them, in this order. */
export function toldTo(...sinks: readonly ReleaseFacts[]): ReleaseFacts {
  return {
    note(fact) {
      for (const sink of sinks) sink.note(fact);
    },
    lost(facts) {
      for (const sink of sinks) sink.lost?.(facts);
    },
  };
}
