import type { Http2Server, ServerHttp2Session } from 'node:http2';
import type { Server } from '@grpc/grpc-js';
import type { Log } from '../../../core/index.js';

/**
 * Bytes a client may send ahead, on a call and on a connection. With the 64 KiB of HTTP/2 a 600 KB tensor waits ten round
 * trips: measured, 720 us of CPU a request against 500. Not more than the sockets' own buffers hold: Node stops reading a
 * connection while a write to it is under way, so two Node processes that both have wide windows and send each other large
 * tensors could wait for each other for ever (seen at 8 MiB with 128 requests of 600 KB in flight, never up to 2 MiB).
 */
export const WINDOW_BYTES = 1024 * 1024;

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
