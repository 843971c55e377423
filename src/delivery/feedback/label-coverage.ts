import { type ModelVersionId, versionKey } from '../../core/index.js';

/** Predictions of one arm, and those of them that have a label. */
export interface Coverage {
  readonly predictions: number;
  readonly labelled: number;
}

interface Counts {
  predictions: number;
  labelled: number;
}

/** Splits and versions that are remembered; older ones are forgotten. */
const MOST_SPLITS = 256;
const MOST_VERSIONS = 1024;
const NOTHING: Coverage = Object.freeze({ predictions: 0, labelled: 0 });

/** How many predictions of each version have labels, by split and in all: those that are missing are seldom missing at random. */
export class LabelCoverage {
  readonly #splits = new Map<number, Map<number, Counts>>();
  readonly #versions = new Map<string, ModelVersionId & Counts>();

  predicted(split: number, id: ModelVersionId): void {
    this.#ofSplit(split, id.version).predictions++;
    this.#ofVersion(id).predictions++;
  }

  labelled(split: number, id: ModelVersionId): void {
    this.#ofSplit(split, id.version).labelled++;
    this.#ofVersion(id).labelled++;
  }

  of(split: number, version: number): Coverage {
    return { ...(this.#splits.get(split)?.get(version) ?? NOTHING) };
  }

  versions(): (ModelVersionId & { readonly predicted: number; readonly labelled: number })[] {
    return [...this.#versions.values()].map(({ model, version, predictions: predicted, labelled }) => ({
      model,
      version,
      predicted,
      labelled,
    }));
  }

  #ofSplit(split: number, version: number): Counts {
    let versions = this.#splits.get(split);
    if (versions === undefined) {
      forgetFirst(this.#splits, MOST_SPLITS);
      versions = new Map();
      this.#splits.set(split, versions);
    }
    let counts = versions.get(version);
    if (counts === undefined) {
      counts = { predictions: 0, labelled: 0 };
      versions.set(version, counts);
    }
    return counts;
  }

  #ofVersion(id: ModelVersionId): Counts {
    const key = versionKey(id);
    let counts = this.#versions.get(key);
    if (counts === undefined) {
      forgetFirst(this.#versions, MOST_VERSIONS);
      counts = { model: id.model, version: id.version, predictions: 0, labelled: 0 };
      this.#versions.set(key, counts);
    }
    return counts;
  }
}

function forgetFirst<Key>(map: Map<Key, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size < most) return;
    map.delete(key);
  }
}
