import { type ClientOptions, HttpClient } from './http-client.js';
import type { Socket } from './socket.js';

export * from './names.js';

/** A client of a gateway, for browsers and everything else that has `fetch` and `WebSocket`. */
export class PenstockClient extends HttpClient {
  /** `url`: `http://HOST:PORT`; of the page's own origin `location.origin`. */
  constructor(url: string, options: ClientOptions = {}) {
    // A browser's WebSocket takes no headers.
    super(url, options, async (address) => new WebSocket(address) as unknown as Socket);
  }
}
