import { ServingError } from '../../../core/index.js';
import { jsonObject } from '../http/body-text.js';
import { type AdminRoute, adminRoute } from './admin-route.js';

const ROUTES = '/v2/admin/routes';
const OF_MODEL = `${ROUTES}/:model`;

/** Which version answers which request. */
export const ROUTES_CALLS: readonly AdminRoute[] = [
  adminRoute({
    call: 'routesList',
    method: 'GET',
    pattern: ROUTES,
    tag: 'routes',
    summary: 'Routes of every model that has some',
    response: 'RoutesList',
    handle: ({ admin }) => ({ content: admin.routesList() }),
  }),
  adminRoute({
    call: 'routesShow',
    method: 'GET',
    pattern: OF_MODEL,
    tag: 'routes',
    summary: 'Routes of a model as they are in force, and who said so',
    response: 'Routes',
    reasons: ['MODEL_NOT_FOUND'],
    handle: ({ admin, path }) => ({ content: admin.routesOf(path('model')) }),
  }),
  adminRoute({
    call: 'routesSet',
    method: 'PUT',
    pattern: OF_MODEL,
    tag: 'routes',
    summary:
      'Set the routes of a model, in the place of those of its file; in force on every thread when it is answered',
    request: 'RoutesDocument',
    yaml: true,
    response: 'Routes',
    reasons: ['MALFORMED_REQUEST', 'MODEL_NOT_FOUND'],
    handle: async ({ admin, path, body, caller }) => ({ content: await admin.setRoutes(path('model'), body, caller) }),
  }),
  adminRoute({
    call: 'routesRemove',
    method: 'DELETE',
    pattern: OF_MODEL,
    tag: 'routes',
    summary: 'Forget what was set: the routes file of the model counts again, its flags and filters too',
    response: 'Routes',
    reasons: ['MODEL_NOT_FOUND'],
    handle: async ({ admin, path, caller }) => ({ content: (await admin.removeRoutes(path('model'), caller)) ?? {} }),
  }),
  adminRoute({
    call: 'flagSet',
    method: 'PUT',
    pattern: `${OF_MODEL}/flags/:flag`,
    tag: 'routes',
    summary: 'Switch a flag of the routes of a model',
    request: 'Switch',
    response: 'Routes',
    reasons: ['MALFORMED_REQUEST', 'MODEL_NOT_FOUND'],
    handle: async ({ admin, path, body, caller }) => ({
      content: await admin.setFlag(path('model'), path('flag'), switchOf(body), caller),
    }),
  }),
  adminRoute({
    call: 'filterSet',
    method: 'PUT',
    pattern: `${OF_MODEL}/filters/:filter`,
    tag: 'routes',
    summary: 'Switch a filter of the routes of a model',
    request: 'Switch',
    response: 'Routes',
    reasons: ['MALFORMED_REQUEST', 'MODEL_NOT_FOUND'],
    handle: async ({ admin, path, body, caller }) => ({
      content: await admin.setFilter(path('model'), path('filter'), switchOf(body), caller),
    }),
  }),
];

function switchOf(body: string): boolean {
  const { on, ...others } = jsonObject(body);
  if (typeof on === 'boolean' && Object.keys(others).length === 0) return on;
  throw new ServingError('MALFORMED_REQUEST', 'expected {"on": true} or {"on": false}');
}
