/** What a load has to do, from what is wanted and what serves. */
export interface LoadPlan {
  /** Versions to open, ascending: every wanted one but those that are kept, for a load of what serves is a reload. */
  readonly open: readonly number[];
  /** Versions that go on as they serve, ascending. */
  readonly keep: readonly number[];
  /** Versions that serve and are not wanted any more; they go only when the load succeeds. */
  readonly leave: readonly number[];
}

/** How the opening of one version ended. */
export type OpenOutcome = 'warmed' | 'failed';

/** What follows when every opening ended. */
export type Swap =
  | {
      readonly kind: 'publish';
      /** Versions to publish, newly opened or kept, ascending. */
      readonly publish: readonly number[];
      /** Versions whose serving incarnation retires after that. */
      readonly retire: readonly number[];
    }
  | {
      readonly kind: 'keep';
      /** Versions newly opened that are given up again. */
      readonly discard: readonly number[];
    };

/** Pure: what to open for `wanted` while `serving` serves, where `unchanged` would be opened just as they were. */
export function decideLoad(
  wanted: readonly number[],
  serving: readonly number[],
  unchanged: ReadonlySet<number> = NONE,
): LoadPlan {
  const keep = ascending(wanted).filter((version) => unchanged.has(version) && serving.includes(version));
  return {
    open: ascending(wanted).filter((version) => !keep.includes(version)),
    keep,
    leave: ascending(serving).filter((version) => !wanted.includes(version)),
  };
}

/**
 * Pure: what becomes of the outcomes. A load never makes it worse than it was: where something serves, all wanted versions
 * must have warmed, or the old ones stay as they are (Triton's `OnLoadFinal`); where nothing serves, what warmed is
 * published, and versions that failed are left out.
 */
export function decideSwap(
  outcomes: ReadonlyMap<number, OpenOutcome>,
  serving: readonly number[],
  keep: readonly number[] = [],
): Swap {
  const warmed = ascending([...outcomes].filter(([, outcome]) => outcome === 'warmed').map(([version]) => version));
  const failed = warmed.length < outcomes.size;
  const publish = ascending([...warmed, ...keep]);
  if (publish.length === 0 || (failed && serving.length > 0)) return { kind: 'keep', discard: warmed };
  return { kind: 'publish', publish, retire: ascending(serving).filter((version) => !keep.includes(version)) };
}

const NONE: ReadonlySet<number> = new Set();

function ascending(versions: readonly number[]): number[] {
  return [...new Set(versions)].sort((a, b) => a - b);
}
