import type * as uws from 'uWebSockets.js';
export type { HttpRequest, HttpResponse, TemplatedApp, us_listen_socket, us_socket_context_t, WebSocket } from 'uWebSockets.js';
export type Uws = typeof uws;
