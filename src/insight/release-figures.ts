import { type ModelVersionId, type ReleaseFact, type ReleaseFacts, versionKey } from '../core/index.js';

/** What became of a copy of a request at its candidate. */
export const SHADOW_OUTCOMES = ['agreed', 'differed', 'failed', 'dropped'] as const;
export type ShadowOutcome = (typeof SHADOW_OUTCOMES)[number];

/** The copies that one version got, apart from its requests. */
interface ShadowCounts {
  readonly id: ModelVersionId;
  readonly outcomes: Record<ShadowOutcome, number>;
  deviceNs: number;
}

/** Counts copies of requests, by the version that got them. */
export class ReleaseFigures implements ReleaseFacts {
  readonly #versions = new Map<string, ShadowCounts>();
  /** Facts of other threads that were lost on the way. */
  lostFacts = 0;

  note(fact: ReleaseFact): void {
    if (fact.kind === 'settled') return;
    const counts = this.#of(fact);
    counts.outcomes[outcomeOf(fact)]++;
    if (fact.kind === 'compared') counts.deviceNs += fact.candidateDeviceNs;
  }

  lost(facts: number): void {
    this.lostFacts += facts;
  }

  get versions(): Iterable<ShadowCounts> {
    return this.#versions.values();
  }

  retire(id: ModelVersionId): void {
    this.#versions.delete(versionKey(id));
  }

  #of({ model, version }: ModelVersionId): ShadowCounts {
    const key = versionKey({ model, version });
    let counts = this.#versions.get(key);
    if (counts === undefined) {
      counts = { id: { model, version }, outcomes: { agreed: 0, differed: 0, failed: 0, dropped: 0 }, deviceNs: 0 };
      this.#versions.set(key, counts);
    }
    return counts;
  }
}

function outcomeOf(fact: Exclude<ReleaseFact, { kind: 'settled' }>): ShadowOutcome {
  if (fact.kind === 'shadow-dropped') return 'dropped';
  if (fact.comparison === undefined) return 'failed';
  return fact.comparison.agrees ? 'agreed' : 'differed';
}
