import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import type { Log } from '../../../core/index.js';

/**
 * Bytes a client may send ahead, on a call and on a connection. The 64 KiB of HTTP/2 hold a 600 KB tensor back for ten
 * round trips; with this window large requests took 500 instead of 720 us of CPU each, at twice the rate.
 */
export const WINDOW_BYTES = 8 * 1024 * 1024;

/** Fields of grpc-js's server that its options do not reach (1.14: `grpc-node.flow_control_window` is for clients). */
interface ServerInside {
  commonServerOptions?: { settings?: Record<string, unknown> };
  http2Servers?: Map<Http2Server, unknown>;
}

/**
 * Widens the windows: once before binding (for calls) and once after it (for connections). Without these fields, in
 * some later grpc-js, everything works with the small windows, and the log says so.
 */
export function widenCallWindow(server: Server, log: Log): void {
  const inside = server as unknown as ServerInside;
  if (inside.commonServerOptions === undefined) {
    log.warn('grpc-js hides its HTTP/2 settings: large requests take longer');
    return;
  }
  inside.commonServerOptions.settings = { ...inside.commonServerOptions.settings, initialWindowSize: WINDOW_BYTES };
}

export function widenConnectionWindow(server: Server, log: Log): void {
  const inside = server as unknown as ServerInside;
  if (inside.http2Servers === undefined) {
    log.warn('grpc-js hides its HTTP/2 server: large requests take longer');
    return;
  }
  for (const http2Server of inside.http2Servers.keys()) {
    http2Server.on('session', (session: ServerHttp2Session) => session.setLocalWindowSize(WINDOW_BYTES));
  }
}
