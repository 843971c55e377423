import {
  type AuditEntry,
  type AuditTrail,
  type CaptureControl,
  type CaptureStatus,
  type CostControl,
  type CostReport,
  type CostRequest,
  checkModelName,
  type RolloutCommand,
  type RolloutControl,
  type RouteControl,
  type RoutesStatus,
  ServingError,
  type TokenFacts,
} from '../../core/index.js';
import type { Authority, Caller, ControlCall } from './authority.js';

export interface AdminPlaneOptions {
  readonly authority: Authority;
  readonly audit: AuditTrail;
  readonly routes: RouteControl;
  readonly rollouts: RolloutControl;
  readonly tokens: () => readonly (TokenFacts & { readonly created?: string | undefined })[];
  readonly capture: CaptureControl;
  readonly costs: CostControl;
  readonly serverName: string;
  readonly version: string;
}

/** One line of the audit as it is shown. */
export interface AuditRow extends Omit<AuditEntry, 'atMs'> {
  readonly number: number;
  /** ISO 8601. */
  readonly at: string;
}

/**
 * The calls of the admin API, once for whoever carries them. Who carries them asks `check` with each call, before it reads
 * anything else of it; what changes something goes through `Authority.change`, which asks again and keeps the audit.
 */
export class AdminPlane {
  readonly #options: AdminPlaneOptions;

  constructor(options: AdminPlaneOptions) {
    this.#options = options;
  }

  get server(): { readonly name: string; readonly version: string } {
    return { name: this.#options.serverName, version: this.#options.version };
  }

  /** Throws UNAUTHENTICATED or FORBIDDEN, as `Authority.check`. */
  check(call: ControlCall, caller: Caller, target: string): void {
    this.#options.authority.check(call, caller, target);
  }

  /** The newest first. `next`: what to give as `before` for those that came earlier; undefined = there are none. */
  audit(
    before: number | undefined,
    most: number,
  ): { readonly entries: readonly AuditRow[]; readonly next: number | undefined } {
    const found = this.#options.audit.entries(before, most);
    const last = found.at(-1);
    return {
      entries: found.map(({ sequence, atMs, ...entry }) => ({
        number: sequence,
        at: new Date(atMs).toISOString(),
        ...entry,
      })),
      next: found.length === most ? last?.sequence : undefined,
    };
  }

  /** What was spent. Rejects as `CostControl.report`. */
  cost(request: CostRequest): Promise<CostReport> {
    return this.#options.costs.report(request);
  }

  /** What is captured, and what became of it. */
  capture(): CaptureStatus {
    return this.#options.capture.status();
  }

  /** Captures `{"percent": P}` of the requests of `model` (`*`: of those not named) from now on, until the next start. */
  setCapture(model: string, body: string, caller: Caller): Promise<CaptureStatus> {
    return this.#options.authority.change('captureSet', model, caller, () => {
      const percent = percentOf(body);
      return this.#options.capture.set(model === '*' ? model : checkModelName(model), percent);
    });
  }

  /** Of every model that has routes. */
  routesList(): { readonly routes: readonly RoutesStatus[] } {
    return { routes: this.#options.routes.list() };
  }

  /** Throws MODEL_NOT_FOUND where the model has none. */
  routesOf(model: string): RoutesStatus {
    const found = this.#options.routes.get(checkModelName(model));
    if (found === undefined) throw new ServingError('MODEL_NOT_FOUND', `model '${model}' has no routes`);
    return found;
  }

  /** `document`: YAML or JSON. Rejects as `RouteControl.set`; resolves when all threads route by it, and it is kept. */
  setRoutes(model: string, document: string, caller: Caller): Promise<RoutesStatus> {
    return this.#changeRoutes('routesSet', model, '', caller, (routes, who) => routes.set(model, document, who));
  }

  /** What the model has then: the routes of its file, or none. */
  async removeRoutes(model: string, caller: Caller): Promise<RoutesStatus | undefined> {
    const { authority, routes } = this.#options;
    return authority.change('routesRemove', model, caller, async (who) => {
      await routes.remove(checkModelName(model), who);
      return routes.get(model);
    });
  }

  setFlag(model: string, flag: string, on: boolean, caller: Caller): Promise<RoutesStatus> {
    const what = `${flag}=${on}`;
    return this.#changeRoutes('flagSet', model, what, caller, (routes, who) => routes.setFlag(model, flag, on, who));
  }

  setFilter(model: string, filter: string, enabled: boolean, caller: Caller): Promise<RoutesStatus> {
    const what = `${filter}=${enabled}`;
    return this.#changeRoutes('filterSet', model, what, caller, (routes, who) =>
      routes.setFilter(model, filter, enabled, who),
    );
  }

  #changeRoutes(
    call: ControlCall,
    model: string,
    what: string,
    caller: Caller,
    change: (routes: RouteControl, who: string) => Promise<void>,
  ): Promise<RoutesStatus> {
    const { authority, routes } = this.#options;
    return authority.change(call, what === '' ? model : `${model}/${what}`, caller, async (who) => {
      checkModelName(model);
      await change(routes, who);
      return this.routesOf(model);
    });
  }

  get rollouts(): Pick<RolloutControl, 'list' | 'status' | 'log'> {
    return this.#options.rollouts;
  }

  /** `document`: a plan; `name` of it for messages. Errors as `RolloutControl.start`. */
  startRollout(document: string, name: string, caller: Caller) {
    const { authority, rollouts } = this.#options;
    return authority.change('rolloutStart', name, caller, (who) => rollouts.start(document, name, who));
  }

  askRollout(id: string, command: RolloutCommand, caller: Caller) {
    const { authority, rollouts } = this.#options;
    const target = `${id}/${command.kind}`;
    return authority.change('rolloutCommand', target, caller, (who) => rollouts.ask(id, command, who));
  }

  unpinRollouts(model: string, caller: Caller) {
    const { authority, rollouts } = this.#options;
    return authority.change('rolloutUnpin', model, caller, (who) => rollouts.unpin(model, who));
  }

  /** Names and scopes; never a token, nor its hash. */
  tokens(): { readonly tokens: readonly (TokenFacts & { readonly created?: string | undefined })[] } {
    return { tokens: this.#options.tokens() };
  }
}

function percentOf(body: string): number {
  let percent: unknown;
  try {
    percent = (JSON.parse(body) as { percent?: unknown } | null)?.percent;
  } catch {
    percent = undefined;
  }
  if (typeof percent === 'number' && percent >= 0 && percent <= 100) return percent;
  throw new ServingError('MALFORMED_REQUEST', 'expected a JSON object with "percent", a number from 0 to 100');
}
