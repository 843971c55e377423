/** What a load has to do, from what is wanted and what serves. */
export interface LoadPlan {
  /** Versions to open, ascending: every wanted one, for a load of what serves is a reload. */
  readonly open: readonly number[];
  /** Versions that serve and are not wanted any more; they go only when the load succeeds. */
  readonly leave: readonly number[];
}

/** How the opening of one version ended. */
export type OpenOutcome = 'warmed' | 'failed';

/** What follows when every opening ended. */
export type Swap =
  | {
      readonly kind: 'publish';
      /** Versions to publish, all newly opened, ascending. */
      readonly publish: readonly number[];
      /** Versions whose serving incarnation retires after that. */
      readonly retire: readonly number[];
    }
  | {
      readonly kind: 'keep';
      /** Versions newly opened that are given up again. */
      readonly discard: readonly number[];
    };

/** Pure: what to open for `wanted` while `serving` serves. */
export function decideLoad(wanted: readonly number[], serving: readonly number[]): LoadPlan {
  const open = ascending(wanted);
  return { open, leave: ascending(serving).filter((version) => !open.includes(version)) };
}

/**
 * Pure: what becomes of the outcomes. A load never makes it worse than it was: where something serves, all wanted versions
 * must have warmed, or the old ones stay as they are (Triton's `OnLoadFinal`); where nothing serves, what warmed is
 * published, and versions that failed are left out.
 */
export function decideSwap(outcomes: ReadonlyMap<number, OpenOutcome>, serving: readonly number[]): Swap {
  const warmed = ascending([...outcomes].filter(([, outcome]) => outcome === 'warmed').map(([version]) => version));
  const failed = warmed.length < outcomes.size;
  if (warmed.length === 0 || (failed && serving.length > 0)) return { kind: 'keep', discard: warmed };
  return { kind: 'publish', publish: warmed, retire: ascending(serving) };
}

function ascending(versions: readonly number[]): number[] {
  return [...new Set(versions)].sort((a, b) => a - b);
}
