import type { Clock, Log, RequestWatch } from '../../../core/index.js';
import type { AdminPlane } from '../../controlplane/index.js';
import { ByteBudget } from '../byte-budget.js';
import { registerOtherMethods } from '../http/other-methods.js';
import { InFlight } from '../in-flight.js';
import { listen } from '../listen.js';
import type { ListeningServer } from '../ports.js';
import { loadUws } from '../uws/load-uws.js';
import type { TemplatedApp } from '../uws/uws-types.js';
import { type AdminState, startAdminCall } from './admin-exchange.js';
import type { AdminRoute } from './admin-route.js';
import { ADMIN_ROUTES } from './admin-routes.js';

export interface AdminOptions {
  readonly admin: AdminPlane;
  readonly clock: Clock;
  readonly log: Log;
  /** IPv4, IPv6 or host name; default 127.0.0.1. */
  readonly address?: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Told of each call; default: nobody is. */
  readonly watch?: RequestWatch | undefined;
}

/** Bodies of all calls in flight together. */
const MAX_BODIES_BYTES = 8 * 1024 * 1024;

/** How long `close` waits for answers that clients read slowly. */
const CLOSE_TIMEOUT_MS = 2000;

/**
 * Starts the server of the admin API, on the thread of what it changes. Rejects with `CONFLICT` where the port cannot be bound.
 * Must be closed before its thread ends.
 */
export async function startAdmin({
  admin,
  clock,
  log,
  address = '127.0.0.1',
  port,
  watch,
}: AdminOptions): Promise<ListeningServer> {
  const uws = loadUws();
  const app = uws.App();
  const inFlight = new InFlight();
  const state: AdminState = { admin, log, inFlight, watch, budget: new ByteBudget(MAX_BODIES_BYTES) };
  registerRoutes(app, state);
  const listener = listen(uws, app, 'Admin', { address, port });
  let open = true;
  const abort = (): void => {
    if (open) app.close();
    open = false;
  };
  const close = async (): Promise<void> => {
    inFlight.drain();
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(clock.nowNs() + CLOSE_TIMEOUT_MS * 1e6, resolve);
      void inFlight.settled().then(() => {
        timer.clear();
        resolve();
      });
    });
    listener.stop();
    abort();
  };
  let closed: Promise<void> | undefined;
  return {
    port: listener.port,
    closeIntake: () => inFlight.drain(),
    close: () => {
      closed ??= close();
      return closed;
    },
    abort,
  };
}

const REGISTER = { GET: 'get', POST: 'post', PUT: 'put', DELETE: 'del' } as const satisfies Record<
  AdminRoute['method'],
  keyof TemplatedApp
>;

function registerRoutes(app: TemplatedApp, state: AdminState): void {
  const methods = new Map<string, string[]>();
  for (const route of ADMIN_ROUTES) {
    app[REGISTER[route.method]](route.pattern, (response, request) => startAdminCall(route, state, response, request));
    methods.set(route.pattern, [...(methods.get(route.pattern) ?? []), route.method]);
  }
  const refusals = {
    unknownMethod: 'no such method of this call',
    unknownPath: 'no such call; GET /v2/admin/docs lists them',
  };
  registerOtherMethods(app, state, methods, refusals);
}
