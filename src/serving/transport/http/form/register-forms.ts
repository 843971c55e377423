import { type ApiGroup, ServingError } from '../../../../core/index.js';
import { startExchange } from '../body-exchange.js';
import type { RouteApp } from '../guarded-app.js';
import type { HttpState } from '../http-options.js';
import { refuse } from '../other-methods.js';
import { mayPass } from '../restricted-app.js';
import { withCloudEvents } from './cloud-event-form.js';
import { EventsExchange } from './events-exchange.js';
import { FormExchange, type ServedForm } from './form-exchange.js';
import { type FormPattern, formPattern, readPath } from './form-path.js';
import type { FormServer, InferForm } from './infer-form.js';

/** A route whose bodies have a form of their own. */
export interface FormRoute {
  readonly pattern: string;
  /** What it is restricted with. */
  readonly group: ApiGroup;
  /** Answered by server-sent events. */
  readonly streams?: boolean;
  /** Made once for a server. */
  readonly form: (server: FormServer) => InferForm;
  /** Whether a body may be a CloudEvent. */
  readonly events?: boolean;
}

/** Serves the forms; those whose patterns differ in their verb only share a path of the library. */
export function registerForms(app: RouteApp, state: HttpState, routes: readonly FormRoute[]): void {
  const paths = new Map<string, Map<string | undefined, ServedForm>>();
  for (const route of routes) {
    const pattern = formPattern(route.pattern);
    const served = paths.get(pattern.path) ?? new Map<string | undefined, ServedForm>();
    const form = route.events === true ? withCloudEvents(route.form(state)) : route.form(state);
    const { group, streams = false } = route;
    paths.set(pattern.path, served.set(pattern.verb, { form, pattern, group, streams }));
  }
  for (const [path, byVerb] of paths) registerPath(app, state, path, byVerb);
}

function registerPath(
  app: RouteApp,
  state: HttpState,
  path: string,
  byVerb: ReadonlyMap<string | undefined, ServedForm>,
): void {
  const verbs = [...byVerb.keys()].filter((verb) => verb !== undefined);
  const pattern = ([...byVerb.values()][0] as ServedForm).pattern satisfies FormPattern;
  app.post(path, (response, request) => {
    let found: ReturnType<typeof readPath>;
    try {
      found = readPath(request, pattern, verbs.length > 0);
    } catch (thrown) {
      return refuse(state, response, request, thrown as ServingError);
    }
    const served = byVerb.get(found.verb);
    if (served === undefined) {
      const expected = verbs.map((verb) => `':${verb}'`).join(', ');
      const error = new ServingError('ROUTE_NOT_FOUND', `the path does not end in one of ${expected}`);
      return refuse(state, response, request, error);
    }
    if (!mayPass(state, served.group, response, request)) return;
    const Exchange = served.streams ? EventsExchange : FormExchange;
    startExchange(new Exchange(state, response, served, found.segments), state, response, request);
  });
}
