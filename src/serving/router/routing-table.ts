import { ServingError } from '../../core/index.js';

/** One version as the table knows it; `target` is whatever the data path sends requests to. */
export interface RouteEntry<T> {
  readonly version: number;
  readonly target: T;
}

/** Where one request goes. `shadows` get a copy whose answer nobody waits for. */
export interface RouteDecision<T> {
  readonly primary: T;
  readonly shadows: readonly T[];
  /** Number of the table that decided. */
  readonly table: number;
}

/**
 * What serves, frozen and numbered: a request is routed by exactly one table, and a change is a new table that takes the
 * old one's place in one assignment.
 */
export class RoutingTable<T> {
  readonly number: number;
  readonly #models: ReadonlyMap<string, readonly RouteEntry<T>[]>;

  private constructor(number: number, models: ReadonlyMap<string, readonly RouteEntry<T>[]>) {
    this.number = number;
    this.#models = models;
  }

  static empty<T>(): RoutingTable<T> {
    return new RoutingTable<T>(0, new Map());
  }

  /** The next table, in which `model` has exactly `entries`; none removes it. Versions must differ. */
  with(model: string, entries: readonly RouteEntry<T>[]): RoutingTable<T> {
    const sorted = [...entries].sort((a, b) => a.version - b.version);
    if (new Set(sorted.map((entry) => entry.version)).size !== sorted.length) {
      throw new Error(`${model}: a version stands twice in the routing table`);
    }
    const models = new Map(this.#models);
    if (sorted.length === 0) models.delete(model);
    else models.set(model, Object.freeze(sorted));
    return new RoutingTable(this.number + 1, models);
  }

  /** Versions of a model that take requests, ascending; empty where none does. */
  versions(model: string): readonly RouteEntry<T>[] {
    return this.#models.get(model) ?? [];
  }

  /**
   * Picks the version of a request: the one it names, else the highest. Throws MODEL_NOT_FOUND, VERSION_NOT_FOUND.
   * Source of the default: Triton's version policy serves the numerically highest version of those available.
   */
  route(model: string, version: number | undefined): RouteDecision<T> {
    const entries = this.#models.get(model);
    if (entries === undefined) throw new ServingError('MODEL_NOT_FOUND', `model '${model}' is not served here`);
    const entry =
      version === undefined ? entries[entries.length - 1] : entries.find((candidate) => candidate.version === version);
    if (entry === undefined) {
      const served = entries.map((candidate) => candidate.version).join(', ');
      throw new ServingError('VERSION_NOT_FOUND', `model '${model}' has no version ${version}; served: ${served}`);
    }
    return { primary: entry.target, shadows: NO_SHADOWS, table: this.number };
  }
}

const NO_SHADOWS: readonly never[] = Object.freeze([]);
