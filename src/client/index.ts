import { type ClientOptions, HttpClient } from './http-client.js';
import { openNodeSocket } from './node-socket.js';

export * from './names.js';

/** A client of a gateway, for Node. */
export class PenstockClient extends HttpClient {
  /** `url`: `http://HOST:PORT`. */
  constructor(url: string, options: ClientOptions = {}) {
    super(url, options, openNodeSocket);
  }
}
