import { parseModelRoutes } from '../config/index.js';
import {
  didYouMean,
  fittingTraffic,
  type Log,
  type ModelRelease,
  type ModelRoutes,
  type ModelTraffic,
  type OperatorRoutes,
  type RouteControl,
  type RoutesStatus,
  type ServedTraits,
  ServingError,
  type TrafficSource,
} from '../core/index.js';
import { routeNames } from '../serving/router/index.js';

/** What is kept of operators' routes over restarts. */
export interface RoutesKeeping {
  readonly kept: ReadonlyMap<string, OperatorRoutes>;
  /** Before the routes are in force; undefined: nothing is set any more. A throw refuses the change. */
  keep(model: string, routes: OperatorRoutes | undefined): void;
}

export interface TrafficOptions {
  readonly log: Log;
  /** Publishes a model anew with the versions that serve; resolves when every thread routes by it. */
  readonly changed: (model: string) => Promise<void>;
  /** What serves of a model; undefined: nothing does. */
  readonly serving: (model: string) => ServingModel | undefined;
  /** What rollouts say of a model, asked at each publication; default: nothing. */
  readonly releaseOf?: (model: string, versions: readonly number[]) => ModelRelease | undefined;
  /** Where the figures of these routes are kept, see `ModelTraffic.places`; default: nowhere. */
  readonly placesOf?: (model: string, routes: readonly string[]) => Readonly<Record<string, number>>;
  /** Whether feedback is wanted of all requests for a model; default: no. */
  readonly judged?: (model: string) => boolean;
  readonly keeping?: RoutesKeeping;
  /** Whether a label that is new may stand for a version that does not serve yet; default: no. */
  readonly labelsAhead?: boolean;
}

/** Versions that serve, ascending, and the number of the table that says so. */
export interface ServingModel extends ServedTraits {
  readonly versions: readonly number[];
  readonly table: number;
}

/** What an operator set, read. */
interface Operated {
  readonly kept: OperatorRoutes;
  readonly document: ModelRoutes | undefined;
}

const NOTHING_SET: Operated = { kept: { document: undefined, flags: {}, filters: {} }, document: undefined };

/**
 * Joins all that has a say in a model's traffic: the routes file beside it, an operator's document over that, flags over
 * either, and the release over all. Asked at each publication.
 */
export class Traffic implements TrafficSource, RouteControl {
  readonly #options: TrafficOptions;
  readonly #files = new Map<string, ModelRoutes>();
  readonly #operated = new Map<string, Operated>();

  constructor(options: TrafficOptions) {
    this.#options = options;
    for (const [model, kept] of options.keeping?.kept ?? []) this.#restore(model, kept);
  }

  /** The routes file that a load found, before its versions are published; undefined: it has none. */
  filed(model: string, routes: ModelRoutes | undefined): void {
    if (routes === undefined) this.#files.delete(model);
    else this.#files.set(model, routes);
  }

  trafficOf(model: string, versions: readonly number[], traits?: ServedTraits): ModelTraffic {
    const { traffic, leftOut } = this.#fitting(model, versions, traits);
    if (leftOut.length > 0)
      this.#options.log.warn('routes that do not fit what serves are left out', { model, leftOut, serving: versions });
    const { placesOf, judged } = this.#options;
    return {
      ...traffic,
      ...(placesOf === undefined ? {} : { places: placesOf(model, routeNames(traffic)) }),
      ...(judged?.(model) === true ? { judged: true } : {}),
    };
  }

  list(): readonly RoutesStatus[] {
    const models = new Set([...this.#files.keys(), ...this.#operated.keys()]);
    return [...models].sort().flatMap((model) => this.get(model) ?? []);
  }

  get(model: string): RoutesStatus | undefined {
    const routes = this.#routesOf(model);
    if (routes === undefined) return undefined;
    const serving = this.#options.serving(model);
    const document = this.#operated.get(model)?.kept.document;
    return {
      model,
      ...(document === undefined ? { source: 'file' } : { source: 'operator', document }),
      routes,
      table: serving?.table ?? 0,
      leftOut: this.#fitting(model, serving?.versions ?? [], serving).leftOut,
    };
  }

  async set(model: string, document: string, by: string): Promise<void> {
    const parsed = parseModelRoutes(document, 'routes');
    const serving = this.#options.serving(model);
    if (serving === undefined)
      throw new ServingError('MODEL_NOT_FOUND', `model '${model}' does not serve: its routes cannot be checked`);
    parsed.refuseUnserved(serving.versions, serving);
    await this.#change(model, { kept: { document, flags: {}, filters: {} }, document: parsed.routes }, 'routes set', {
      by,
    });
  }

  async remove(model: string, by: string): Promise<void> {
    if (!this.#operated.has(model))
      throw new ServingError('MODEL_NOT_FOUND', `nobody has set routes of model '${model}'`);
    await this.#change(model, undefined, 'routes removed', { by });
  }

  async setFlag(model: string, flag: string, on: boolean, by: string): Promise<void> {
    const routes = this.#routesOf(model);
    if (routes === undefined) throw new ServingError('MODEL_NOT_FOUND', `model '${model}' has no routes`);
    if (!Object.hasOwn(routes.flags, flag)) {
      const hint = didYouMean(flag, Object.keys(routes.flags));
      throw new ServingError('MALFORMED_REQUEST', `the routes of model '${model}' have no flag '${flag}'${hint}`);
    }
    const { kept, document } = this.#operated.get(model) ?? NOTHING_SET;
    const flags = { ...kept.flags, [flag]: on };
    await this.#change(model, { kept: { ...kept, flags }, document }, 'flag set', { by, flag, on });
  }

  async setFilter(model: string, filter: string, enabled: boolean, by: string): Promise<void> {
    const routes = this.#routesOf(model);
    if (routes === undefined) throw new ServingError('MODEL_NOT_FOUND', `model '${model}' has no routes`);
    const names = routes.filters.map(({ name }) => name);
    if (!names.includes(filter)) {
      const hint = didYouMean(filter, names);
      throw new ServingError('MALFORMED_REQUEST', `the routes of model '${model}' have no filter '${filter}'${hint}`);
    }
    const { kept, document } = this.#operated.get(model) ?? NOTHING_SET;
    const filters = { ...kept.filters, [filter]: enabled };
    await this.#change(model, { kept: { ...kept, filters }, document }, 'filter set', { by, filter, enabled });
  }

  async setLabels(model: string, labels: Readonly<Record<string, number>>, by: string): Promise<void> {
    const serving = this.#options.serving(model);
    if (serving === undefined)
      throw new ServingError('MODEL_NOT_FOUND', `model '${model}' does not serve: its labels cannot be checked`);
    const { kept, document } = this.#operated.get(model) ?? NOTHING_SET;
    const { labels: standing, splits } = this.#routesOf(model) ?? parsedRoutes({});
    for (const [label, version] of Object.entries(parsedRoutes({ labels }).labels)) {
      if (Object.hasOwn(splits, label))
        throw new ServingError(
          'MALFORMED_REQUEST',
          `label '${label}': a split of the routes of model '${model}' has this name`,
        );
      const moves = Object.hasOwn(standing, label) && standing[label] !== version;
      if (serving.versions.includes(version) || (this.#options.labelsAhead === true && !moves)) continue;
      throw new ServingError(
        'FAILED_PRECONDITION',
        `Request to assign label to version ${version} of model ${model}, which is not currently available for inference`,
      );
    }
    const { labels: former, ...others } = kept;
    const to = Object.keys(labels).length === 0 ? others : { ...others, labels };
    await this.#change(model, { kept: to, document }, 'labels set', { by, labels, former });
  }

  hasLabels(model: string, labels: Readonly<Record<string, number>>): boolean {
    const set = this.#operated.get(model)?.kept.labels ?? {};
    const names = Object.keys(set);
    return names.length === Object.keys(labels).length && names.every((name) => set[name] === labels[name]);
  }

  async #change(
    model: string,
    to: Operated | undefined,
    what: string,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    this.#options.keeping?.keep(model, to?.kept);
    if (to === undefined) this.#operated.delete(model);
    else this.#operated.set(model, to);
    this.#options.log.info(what, { model, ...fields });
    await this.#options.changed(model);
  }

  #fitting(model: string, versions: readonly number[], traits?: ServedTraits) {
    const routes = this.#routesOf(model);
    const release = this.#options.releaseOf?.(model, versions);
    return fittingTraffic({ routes, release }, versions, traits);
  }

  /** Flags and filters that a new file or document no longer has, and labels whose names it gives to splits, are without effect. */
  #routesOf(model: string): ModelRoutes | undefined {
    const { kept, document } = this.#operated.get(model) ?? NOTHING_SET;
    const plain = document ?? this.#files.get(model);
    const routes = kept.labels === undefined ? plain : withLabels(plain, kept.labels);
    if (routes === undefined) return undefined;
    const flags = { ...routes.flags };
    for (const [name, on] of Object.entries(kept.flags)) if (Object.hasOwn(flags, name)) flags[name] = on;
    const filters = routes.filters.map((filter) => ({
      ...filter,
      enabled: kept.filters[filter.name] ?? filter.enabled,
    }));
    return { ...routes, flags, filters };
  }

  /** What was kept was read before; a newer version of this program may still refuse it, and serves without it then. */
  #restore(model: string, kept: OperatorRoutes): void {
    try {
      const document = kept.document === undefined ? undefined : parseModelRoutes(kept.document, 'kept routes').routes;
      this.#operated.set(model, { kept, document });
    } catch (thrown) {
      this.#options.log.error('routes that were kept cannot be read; the file counts', { model, cause: thrown });
    }
  }
}

/** The routes of a model that has none but labels, or its own with these labels over them; a split keeps its name. */
function withLabels(routes: ModelRoutes | undefined, labels: Readonly<Record<string, number>>): ModelRoutes {
  const own = routes ?? parsedRoutes({});
  const free = Object.entries(labels).filter(([label]) => !Object.hasOwn(own.splits, label));
  return { ...own, labels: { ...own.labels, ...Object.fromEntries(free) } };
}

/** Throws MALFORMED_REQUEST for names and versions that cannot be. */
function parsedRoutes(document: object): ModelRoutes {
  return parseModelRoutes(JSON.stringify(document), 'version_labels').routes;
}
