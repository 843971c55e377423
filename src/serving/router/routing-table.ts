import {
  type ChargeSource,
  Charges,
  type InferenceRequest,
  type ModelTraffic,
  PLAIN_TRAFFIC,
  ServingError,
  shownText,
  type WantedTraits,
} from '../../core/index.js';
import { Draws } from './key-hash.js';
import { ModelRouter, type RouterParts } from './model-router.js';
import type { RouteDecision, RouteEntry } from './route-decision.js';
import { joinedTraits } from './wanted-traits.js';

/**
 * What serves and how requests find it, frozen and numbered: a request is routed by exactly one table, and a change is a new
 * table that takes the old one's place in one assignment.
 */
export class RoutingTable<T> {
  readonly number: number;
  /** What transports have to read of a caller for `route`; undefined: nothing. */
  readonly wanted: WantedTraits | undefined;
  readonly #models: ReadonlyMap<string, ModelRouter<T>>;
  readonly #parts: RouterParts;

  private constructor(number: number, models: ReadonlyMap<string, ModelRouter<T>>, parts: RouterParts) {
    this.number = number;
    this.wanted = joinedTraits([...models.values()].map((router) => router.wanted));
    this.#models = models;
    this.#parts = parts;
  }

  static empty<T>(tenant: RouterParts['tenant'] = () => '', charges: ChargeSource = new Charges()): RoutingTable<T> {
    return new RoutingTable<T>(0, new Map(), { tenant, draws: new Draws(), charges });
  }

  /**
   * The next table, in which `model` has exactly `entries` and this traffic; no entries remove it. `number`: where another
   * table that says the same has one. `ejected`: versions that its splits pass over for now, where its routes eject at all. Throws
   * `Error` where versions stand twice or traffic does not fit them.
   */
  with(
    model: string,
    entries: readonly RouteEntry<T>[],
    traffic: ModelTraffic = PLAIN_TRAFFIC,
    number = this.number + 1,
    ejected: ReadonlySet<number> = NONE,
  ): RoutingTable<T> {
    const sorted = [...entries].sort((a, b) => a.version - b.version);
    if (new Set(sorted.map((entry) => entry.version)).size !== sorted.length) {
      throw new Error(`${model}: a version stands twice in the routing table`);
    }
    const models = new Map(this.#models);
    const subject = { entries: Object.freeze(sorted), traffic, table: number, ejected };
    if (sorted.length === 0) models.delete(model);
    else models.set(model, new ModelRouter(subject, this.#parts));
    return new RoutingTable(Math.max(this.number, number), models, this.#parts);
  }

  /** The same table, of the same number, but for which versions of a model its splits pass over. The model must be in it. */
  passingOver(model: string, ejected: ReadonlySet<number>): RoutingTable<T> {
    const { subject } = this.#models.get(model) as ModelRouter<T>;
    const models = new Map(this.#models).set(model, new ModelRouter({ ...subject, ejected }, this.#parts));
    return new RoutingTable(this.number, models, this.#parts);
  }

  /** Number of the table that brought the routes of a model, as its answers name it; 0 where nothing of it serves. */
  numberOf(model: string): number {
    return this.#models.get(model)?.subject.table ?? 0;
  }

  /** Versions of a model that take requests, ascending; empty where none does. */
  versions(model: string): readonly RouteEntry<T>[] {
    return this.#models.get(model)?.subject.entries ?? [];
  }

  /**
   * Picks the version of a request: the one it names, else what routes and release say, else the highest. Throws
   * MODEL_NOT_FOUND, VERSION_NOT_FOUND. Its mark has the number of the table that brought the model's routes.
   * Source of the default: Triton's version policy serves the numerically highest version of those available.
   */
  route(request: InferenceRequest): RouteDecision<T> {
    const { model, version } = request;
    const router = this.#router(model);
    return router.route(request) ?? refuseVersion(router, model, version);
  }

  /** The version of that number, or the one that requests without a version get unless a rule or a split decides. Throws as `route`. */
  targetOf(model: string, version: number | undefined): T {
    const router = this.#router(model);
    const wanted = version ?? router.defaultVersion;
    const entry = router.subject.entries.find((candidate) => candidate.version === wanted);
    return entry === undefined ? refuseVersion(router, model, version) : entry.target;
  }

  /** The version that a label of the model's routes stands for. Throws MODEL_NOT_FOUND, VERSION_NOT_FOUND. */
  labelled(model: string, label: string): number {
    const labels = this.#router(model).subject.traffic.routes?.labels ?? {};
    if (Object.hasOwn(labels, label)) return labels[label] as number;
    const known = Object.keys(labels).join(', ');
    throw new ServingError(
      'VERSION_NOT_FOUND',
      `model '${model}' has no version label ${shownText(label)}; ${known === '' ? 'its routes have none' : `labels: ${known}`}`,
    );
  }

  /** The version of each model that requests without a version get unless a rule or a split decides. */
  targets(): T[] {
    return [...this.#models.keys()].map((model) => this.targetOf(model, undefined));
  }

  #router(model: string): ModelRouter<T> {
    const router = this.#models.get(model);
    if (router === undefined) throw new ServingError('MODEL_NOT_FOUND', `model '${model}' is not served here`);
    return router;
  }
}

function refuseVersion<T>({ subject }: ModelRouter<T>, model: string, version: number | undefined): never {
  const served = subject.entries.map((candidate) => candidate.version).join(', ');
  throw new ServingError('VERSION_NOT_FOUND', `model '${model}' has no version ${version}; served: ${served}`);
}

const NONE: ReadonlySet<number> = new Set();
