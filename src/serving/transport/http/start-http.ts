import { type Clock, type ClockTimer, ServingError } from '../../../core/index.js';
import { type Listener, listen, listenUnix } from '../listen.js';
import { TlsSource } from '../tls/tls-source.js';
import { unixSocket } from '../unix-socket.js';
import { loadUws } from '../uws/load-uws.js';
import type { TemplatedApp } from '../uws/uws-types.js';
import { StreamConnections } from '../websocket/stream-connections.js';
import { clientCertificateGuard } from './client-certificate.js';
import { startControl } from './control-exchange.js';
import { crossOriginGuard } from './cross-origin.js';
import { formPattern } from './form/form-path.js';
import { registerForms } from './form/register-forms.js';
import { guardedApp, type RouteApp } from './guarded-app.js';
import { type HttpOptions, type HttpServer, type HttpState, httpState } from './http-options.js';
import { startInfer } from './infer-exchange.js';
import { isVersioned } from './model-path.js';
import { refuse, registerOtherMethods } from './other-methods.js';
import { restrictedApp } from './restricted-app.js';
import { ROUTES, type Route } from './routes.js';
import { plainApps, tlsApps } from './served-apps.js';

/**
 * Starts the V2 REST and WebSocket server. Rejects with `UNSUPPORTED` where uWebSockets.js does not load here, and with
 * `CONFLICT` where the port cannot be bound (never shared with another server). The server must be closed before its
 * thread ends: an open app in a thread that ends aborts the process.
 */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const uws = loadUws();
  const state = httpState(uws, options);
  const streams = new StreamConnections(state);
  const { name = 'HTTP', routes = ROUTES, tls, clock, log } = options;
  let openConnections = 0;
  const register = (app: TemplatedApp): void => {
    registerRoutes(guarded(app, state, options), state, streams, routes);
    // biome-ignore lint/suspicious/useIterableCallbackReturn: not an array; told of each connection that opens or closes
    app.filter((_, change) => {
      openConnections += Number(change);
    });
  };
  const { address = '127.0.0.1', port, shared = false } = options;
  const socket = options.unixSocket && (await unixSocket(name, options.unixSocket));
  const apps =
    tls === undefined
      ? plainApps(uws, register)
      : tlsApps(uws, new TlsSource(tls, { name, clock, log }), clock, register);
  let listener: Listener;
  let unixListener: ReturnType<typeof listenUnix> | undefined;
  try {
    listener = listen(uws, apps.listening, name, { address, port, shared });
    unixListener = socket && listenUnix(uws, apps.listening, name, socket);
  } catch (thrown) {
    apps.close();
    throw thrown;
  }
  let closed: Promise<void> | undefined;

  const closeIntake = (): void => {
    if (state.inFlight.draining) return;
    // It goes on accepting connections, to refuse their requests with DRAINING: closing the port now would reset the
    // connections that wait in the kernel's queue.
    state.inFlight.drain();
    streams.drain();
  };
  const close = async (): Promise<void> => {
    closeIntake();
    // A bound on waiting for clients that do not read; open sockets keep the process alive meanwhile.
    const slow = wait(state.clock, options.closeTimeoutMs ?? 10_000);
    await Promise.race([Promise.all([state.inFlight.settled(), streams.settled()]), slow.passed]);
    if (openConnections > 0) {
      // Clients between two requests of a kept-alive connection hear `Connection: close` instead of a reset.
      await Promise.race([wait(state.clock, LINGER_MS).passed, slow.passed]);
      await Promise.race([state.inFlight.settled(), slow.passed]);
    }
    slow.clear();
    listener.stop();
    unixListener?.stop();
    if (state.inFlight.count > 0) options.log.warn('closing with replies unread', { count: state.inFlight.count });
    abort();
  };
  let open = true;
  const abort = (): void => {
    if (open) apps.close();
    open = false;
    socket?.remove();
  };
  return {
    port: listener.port,
    closeIntake,
    close: () => {
      closed ??= close();
      return closed;
    },
    abort,
  };
}

const LINGER_MS = 200;

function wait(clock: Clock, ms: number): { readonly passed: Promise<void>; clear(): void } {
  let timer: ClockTimer | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = clock.setTimer(clock.nowNs() + ms * 1e6, resolve);
  });
  return { passed, clear: () => timer?.clear() };
}

/** The app, or one whose handlers see only the requests that may come at all. */
function guarded(app: RouteApp, state: HttpState, { tls }: HttpOptions): RouteApp {
  // The outer guard comes first: that of origins, so that a refusal of the other can be read by pages.
  const marked = state.cors === undefined ? app : guardedApp(app, crossOriginGuard(state, state.cors));
  return tls?.clientCa === undefined ? marked : guardedApp(marked, clientCertificateGuard(state));
}

function registerRoutes(app: RouteApp, state: HttpState, streams: StreamConnections, routes: readonly Route[]): void {
  for (const route of routes) registerRoute(app, state, streams, route);
  registerForms(
    app,
    state,
    routes.filter((route) => route.kind === 'form'),
  );
  const refusals = { unknownMethod: 'Method Not Allowed', unknownPath: 'Not Found' };
  registerOtherMethods(app, state, methodsByPattern(routes), refusals);
}

function registerRoute(whole: RouteApp, state: HttpState, streams: StreamConnections, route: Route): void {
  const app = restrictedApp(whole, state, route.group);
  switch (route.kind) {
    case 'infer': {
      const versioned = isVersioned(route.pattern);
      app.post(route.pattern, (response, request) => startInfer(state, response, request, versioned));
      return;
    }
    case 'form':
      // With the others of its path.
      return;
    case 'stream':
      streams.register(app, route.pattern);
      app.get(route.pattern, (response, request) =>
        refuse(
          state,
          response,
          request,
          new ServingError('MALFORMED_REQUEST', 'this path takes WebSocket connections only'),
        ),
      );
      return;
    case 'control':
      if (route.method !== 'GET') {
        const register = route.method === 'POST' ? 'post' : 'del';
        app[register](route.pattern, (response, request) => startControl(route, state, response, request, false));
        return;
      }
      app.get(route.pattern, (response, request) => startControl(route, state, response, request, false));
      app.head(route.pattern, (response, request) => startControl(route, state, response, request, true));
  }
}

/** Whatever can be got has a head, too. */
function methodsByPattern(routes: readonly Route[]): Map<string, string[]> {
  const byPattern = new Map<string, string[]>();
  for (const { pattern, method } of routes) {
    const { path } = formPattern(pattern);
    const methods = byPattern.get(path) ?? [];
    if (!methods.includes(method)) byPattern.set(path, [...methods, method]);
  }
  for (const methods of byPattern.values()) if (methods.includes('GET')) methods.push('HEAD');
  return byPattern;
}
