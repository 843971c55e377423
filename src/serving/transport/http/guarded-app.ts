import type { HttpRequest, HttpResponse, TemplatedApp } from '../uws/uws-types.js';

type Handler = (response: HttpResponse, request: HttpRequest) => void | Promise<void>;

/** What routes are registered on. */
export type RouteApp = Pick<TemplatedApp, 'get' | 'post' | 'head' | 'del' | 'options' | 'any' | 'ws'>;

/** Sees each request before its handler does. False: it has answered, or will, and no handler sees it. */
export type Guard = (response: HttpResponse, request: HttpRequest, upgrade: boolean) => boolean;

/** An app whose handlers see only what passes the guard. */
export function guardedApp(app: RouteApp, passes: Guard): RouteApp {
  const guarded =
    (handler: Handler) =>
    (response: HttpResponse, request: HttpRequest): void => {
      if (passes(response, request, false)) void handler(response, request);
    };
  const methods = (['get', 'post', 'head', 'del', 'options', 'any'] as const).map((method) => [
    method,
    (pattern: string, handler: Handler) => app[method](pattern, guarded(handler)),
  ]);
  return {
    ...(Object.fromEntries(methods) as Omit<RouteApp, 'ws'>),
    ws: (pattern, behaviour) =>
      app.ws(pattern, {
        ...behaviour,
        upgrade: (response, request, context) => {
          if (passes(response, request, true)) void behaviour.upgrade?.(response, request, context);
        },
      }),
  };
}
