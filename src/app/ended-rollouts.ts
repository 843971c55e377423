import { type RolloutFigures, type RolloutState, rolloutEnded } from '../core/index.js';
import type { RolloutNotice, RolloutNotices } from '../delivery/index.js';

type Ended = RolloutFigures['ended'][number];

/** Counts how rollouts end, and passes notices on. A model is counted, from 0 on, once a rollout of it moves. */
export class EndedRollouts implements RolloutNotices {
  readonly #next: RolloutNotices & { readonly names: readonly string[] };
  readonly #counts = new Map<string, Map<RolloutState, number>>();

  constructor(next: RolloutNotices & { readonly names: readonly string[] }) {
    this.#next = next;
  }

  get names(): readonly string[] {
    return this.#next.names;
  }

  tell(notice: RolloutNotice, to: readonly string[] | undefined): void {
    const { model, to: state } = notice;
    let counts = this.#counts.get(model);
    if (counts === undefined) {
      counts = new Map([
        ['promoted', 0],
        ['rolled-back', 0],
      ]);
      this.#counts.set(model, counts);
    }
    if (rolloutEnded(state)) counts.set(state, (counts.get(state) ?? 0) + 1);
    this.#next.tell(notice, to);
  }

  figures(): readonly Ended[] {
    return [...this.#counts].flatMap(([model, counts]) =>
      [...counts].map(([state, count]) => ({ model, state, count })),
    );
  }
}
