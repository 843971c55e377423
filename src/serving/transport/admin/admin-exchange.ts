import type { AdminPlane } from '../../controlplane/index.js';
import { textOf } from '../http/body-text.js';
import { callerOf } from '../http/caller.js';
import type { ExchangeState } from '../http/exchange.js';
import { decodeOnce } from '../http/model-path.js';
import { startWholeCall } from '../http/whole-call.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import type { AdminInput, AdminRoute } from './admin-route.js';

/** What all calls of one admin server share. */
export interface AdminState extends ExchangeState {
  readonly admin: AdminPlane;
}

/** Largest body: documents that people write. */
const MAX_BODY_BYTES = 1024 * 1024;

const NOT_KEPT = ['Cache-Control', 'no-store'];

/** Serves one call: its right first, then the rest. */
export function startAdminCall(
  route: AdminRoute,
  server: AdminState,
  response: HttpResponse,
  request: HttpRequest,
): void {
  const { admin } = server;
  startWholeCall<AdminInput>(
    {
      headOnly: false,
      maxBodyBytes: route.method === 'GET' ? undefined : MAX_BODY_BYTES,
      duringDrain: false,
      compressed: 'bodies of the admin API may not be compressed',
      headers: NOT_KEPT,
      open: ({ authorization, relayed }) => {
        const caller = callerOf(response.getRemoteAddress(), authorization, relayed);
        const segments = pathSegments(route, request);
        admin.check(route.call, caller, [...segments.values()].join('/'));
        const parameters = new URLSearchParams(request.getQuery());
        const path = (name: string): string => decodeOnce(name, segments.get(name) ?? '');
        const query = (name: string): string | undefined => parameters.get(name) ?? undefined;
        return (body) => ({ admin, caller, path, query, body: textOf(body) });
      },
      handle: route.handle,
    },
    server,
    response,
    request,
  );
}

/** As they were sent, by the names of the pattern. */
function pathSegments({ pattern }: AdminRoute, request: HttpRequest): ReadonlyMap<string, string> {
  const names = [...pattern.matchAll(/:([a-z]+)/g)].map(([, name]) => name as string);
  return new Map(names.map((name, index) => [name, request.getParameter(index) ?? '']));
}
