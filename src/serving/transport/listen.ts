import { ServingError } from '../../core/index.js';
import type { TemplatedApp, Uws, us_listen_socket } from './uws/uws-types.js';

/** A port that is bound. */
export interface Listener {
  readonly port: number;
  /** Takes no more connections. Idempotent. */
  stop(): void;
}

/** In the library, though its own type declaration lists the form without a host only. */
interface ListeningApp {
  listen(host: string, port: number, options: number, cb: (socket: us_listen_socket | false) => void): unknown;
}

/**
 * Binds an app to an address (IPv4, IPv6 or host name) and port, 0 = any free one; exclusively, since two apps on one
 * port would otherwise share its connections silently. Throws `CONFLICT` where it cannot.
 */
export function listen(uws: Uws, app: TemplatedApp, what: string, address: string, port: number): Listener {
  let socket: us_listen_socket | undefined;
  const host = address.replace(/^\[(.*)\]$/, '$1');
  (app as unknown as ListeningApp).listen(host, port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (bound) => {
    if (bound !== false) socket = bound;
  });
  if (socket === undefined) {
    throw new ServingError(
      'CONFLICT',
      `${what}: cannot listen on ${host} port ${port}: another process has the port, the address is not of this machine, or the port needs a right; free it or choose another with --${what.toLowerCase()}-port and --${what.toLowerCase()}-address`,
    );
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
