import type { ApiGroup } from '../../../core/index.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import { guardedApp, type RouteApp } from './guarded-app.js';
import type { HttpState } from './http-options.js';
import { refuse } from './other-methods.js';

/**
 * Where the routes of a group are registered: the app itself, or, where the group is restricted, one whose handlers refuse
 * requests without the key before anything of them is read.
 */
export function restrictedApp(app: RouteApp, state: HttpState, group: ApiGroup): RouteApp {
  if (!state.apiKeys.has(group)) return app;
  return guardedApp(app, (response, request) => mayPass(state, group, response, request));
}

/** Whether a request has the key of the group, where that needs one; else it is refused, now. */
export function mayPass(state: HttpState, group: ApiGroup, response: HttpResponse, request: HttpRequest): boolean {
  const key = state.apiKeys.get(group);
  if (key === undefined || key.opens(request.getHeader(key.header))) return true;
  if (group === 'inference') state.onRefused(key.refusal.reason);
  refuse(state, response, request, key.refusal);
  return false;
}
