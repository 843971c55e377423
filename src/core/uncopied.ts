import type { ModelSpec } from './model.js';

/** Why a version takes no copies of requests for comparison, as far as its spec says; undefined: it does. */
export function whyUncopied({ decoupled, sequences }: Pick<ModelSpec, 'decoupled' | 'sequences'>): string | undefined {
  if (decoupled === true) return 'it is decoupled, and responses that come one by one are not compared';
  return sequences === true ? 'it serves sequences, and a copy of one request would find none' : undefined;
}
