import type { BatchPolicy } from '../../core/index.js';
import type { Decide } from '../../serving/batcher/index.js';
import type { Load } from '../load.js';

/** A way to schedule, for one run of a simulation; a policy with state is made anew for each. */
export interface Policy {
  /** Instead of the batcher's own decision. */
  readonly decide?: Decide;
  /** On top of dynamic batching without a delay. */
  readonly batching?: Partial<BatchPolicy>;
  /** Whether it knows the curve and the deadlines; else requests wait for ever. */
  readonly planned: boolean;
  /** An execution of `rows` rows ended `sinceStartMs` after its start. */
  ended?(rows: number, sinceStartMs: number): void;
}

/** Makes a policy that needs to know nothing but the SLO: it can be run in the gateway too. */
export type LivePolicyMaker = (load: Pick<Load, 'sloMs'>) => readonly [() => Policy];

/** Makes the variants of a policy for a load; where there are several, the best counts. */
export type PolicyMaker = (load: Load) => readonly (() => Policy)[];
