import { type FeedbackFigures, type ModelVersionId, versionKey } from '../../core/index.js';

interface Counts extends ModelVersionId {
  predicted: number;
  labelled: number;
}

/** Versions that are remembered; those that came first are forgotten. */
const MOST_VERSIONS = 1024;

/** How many predictions of each version have labels: those that are missing are seldom missing at random. */
export class LabelCoverage {
  readonly #versions = new Map<string, Counts>();

  predicted(id: ModelVersionId): void {
    this.#of(id).predicted++;
  }

  labelled(id: ModelVersionId): void {
    this.#of(id).labelled++;
  }

  versions(): FeedbackFigures['versions'] {
    return [...this.#versions.values()].map((counts) => ({ ...counts }));
  }

  #of(id: ModelVersionId): Counts {
    const key = versionKey(id);
    let counts = this.#versions.get(key);
    if (counts === undefined) {
      for (const oldest of this.#versions.keys()) {
        if (this.#versions.size < MOST_VERSIONS) break;
        this.#versions.delete(oldest);
      }
      counts = { model: id.model, version: id.version, predicted: 0, labelled: 0 };
      this.#versions.set(key, counts);
    }
    return counts;
  }
}
