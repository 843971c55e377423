import type { ApiGroup } from '../../../core/index.js';
import type { HttpRequest, HttpResponse, TemplatedApp } from '../uws/uws-types.js';
import type { HttpState } from './http-options.js';
import { refuse } from './other-methods.js';

type Handler = (response: HttpResponse, request: HttpRequest) => void | Promise<void>;

/** What routes are registered on. */
export type RouteApp = Pick<TemplatedApp, 'get' | 'post' | 'head' | 'del' | 'ws'>;

/**
 * Where the routes of a group are registered: the app itself, or, where the group is restricted, one whose handlers refuse
 * requests without the key before anything of them is read.
 */
export function restrictedApp(app: TemplatedApp, state: HttpState, group: ApiGroup): RouteApp {
  if (!state.apiKeys.has(group)) return app;
  const guarded =
    (handler: Handler) =>
    (response: HttpResponse, request: HttpRequest): void => {
      if (mayPass(state, group, response, request)) void handler(response, request);
    };
  return {
    get: (pattern, handler) => app.get(pattern, guarded(handler)),
    post: (pattern, handler) => app.post(pattern, guarded(handler)),
    head: (pattern, handler) => app.head(pattern, guarded(handler)),
    del: (pattern, handler) => app.del(pattern, guarded(handler)),
    ws: (pattern, behaviour) =>
      app.ws(pattern, {
        ...behaviour,
        upgrade: (response, request, context) => {
          if (mayPass(state, group, response, request)) void behaviour.upgrade?.(response, request, context);
        },
      }),
  };
}

/** Whether a request has the key of the group, where that needs one; else it is refused, now. */
export function mayPass(state: HttpState, group: ApiGroup, response: HttpResponse, request: HttpRequest): boolean {
  const key = state.apiKeys.get(group);
  if (key === undefined || key.opens(request.getHeader(key.header))) return true;
  if (group === 'inference') state.onRefused(key.refusal.reason);
  refuse(state, response, request, key.refusal);
  return false;
}
