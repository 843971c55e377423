import type * as uws from 'uWebSockets.js';

export type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from 'uWebSockets.js';
/** The library; its own declaration leaves out the flag that asks for a port alone. */
export type Uws = typeof uws & { readonly LIBUS_LISTEN_EXCLUSIVE_PORT: number };
