import { type ClientOptions, HttpClient } from './http-client.js';
import { type ClientTls, fetchByTls } from './node-fetch.js';
import { openNodeSocket } from './node-socket.js';

export * from './names.js';
export { type ClientTls, fetchByTls };

/** What a client in Node may say beside what all may. */
export interface NodeClientOptions extends ClientOptions {
  /** Of `https:`, WebSockets included; default what Node trusts. `fetch`, where given, goes before it. */
  readonly tls?: ClientTls;
}

/** A client of a gateway, for Node. */
export class PenstockClient extends HttpClient {
  /** `url`: `http://HOST:PORT` or `https://HOST:PORT`. */
  constructor(url: string, { tls, ...options }: NodeClientOptions = {}) {
    const secure = tls === undefined || !/^https:/i.test(url) ? {} : { fetch: fetchByTls(tls) };
    super(url, { ...secure, ...options }, (address, headers) => openNodeSocket(address, headers, tls));
  }
}
