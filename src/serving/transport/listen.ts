import { ServingError } from '../../core/index.js';
import { cannotListen } from './port-conflict.js';
import type { UnixSocket } from './unix-socket.js';
import type { TemplatedApp, Uws, us_listen_socket } from './uws/uws-types.js';

/** A port that is bound. */
export interface Listener {
  readonly port: number;
  /** Takes no more connections. Idempotent. */
  stop(): void;
}

/** The library's default, which it has no name for in JavaScript. */
const SHARED_PORT = 0;

/** In the library, though its own type declaration lists the form without a host only. */
interface ListeningApp {
  listen_unix(cb: (socket: us_listen_socket | false) => void, path: string): unknown;
  listen(host: string, port: number, options: number, cb: (socket: us_listen_socket | false) => void): unknown;
}

/**
 * Binds an app to an address (IPv4, IPv6 or host name) and port, 0 = any free one; exclusively, since two apps on one
 * port would otherwise share its connections silently, or `shared` with those of other threads (SO_REUSEPORT: the system
 * gives each connection to one of them). Throws `CONFLICT` where it cannot.
 */
export function listen(
  uws: Uws,
  app: TemplatedApp,
  what: string,
  { address, port, shared = false }: { readonly address: string; readonly port: number; readonly shared?: boolean },
): Listener {
  let socket: us_listen_socket | undefined;
  const host = address.replace(/^\[(.*)\]$/, '$1');
  const options = shared ? SHARED_PORT : uws.LIBUS_LISTEN_EXCLUSIVE_PORT;
  (app as unknown as ListeningApp).listen(host, port, options, (bound) => {
    if (bound !== false) socket = bound;
  });
  if (socket === undefined) {
    throw cannotListen(what, host, port, undefined);
  }
  const bound = socket;
  let open = true;
  return {
    port: uws.us_socket_local_port(bound as never),
    stop: () => {
      if (open) uws.us_listen_socket_close(bound);
      open = false;
    },
  };
}

/** Has an app listen on a Unix socket as well. Throws CONFLICT where it cannot. */
export function listenUnix(uws: Uws, app: TemplatedApp, what: string, socket: UnixSocket): Pick<Listener, 'stop'> {
  let bound: us_listen_socket | undefined;
  (app as unknown as ListeningApp).listen_unix((made) => {
    if (made !== false) bound = made;
  }, socket.bindPath);
  if (bound === undefined)
    throw new ServingError(
      'CONFLICT',
      `${what}: cannot bind the Unix socket ${socket.bindPath}: its folder is not there or not writable`,
    );
  const listening = bound;
  socket.publish();
  let open = true;
  return {
    stop: () => {
      if (open) uws.us_listen_socket_close(listening);
      open = false;
      socket.remove();
    },
  };
}
