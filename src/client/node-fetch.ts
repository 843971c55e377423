import { Agent, request } from 'node:https';
import { Readable } from 'node:stream';

/** What a client checks a gateway's certificate by, and shows of its own. In PEM. */
export interface ClientTls {
  /** Authorities; default those of Node (`NODE_EXTRA_CA_CERTS` adds some). */
  readonly ca?: string | Uint8Array;
  /** For a gateway that takes clients with a certificate only, with `key`. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
}

/** Below the gateway's own, so that a connection is not closed while a request is on its way. */
const IDLE_MS = 4000;

/** A `fetch` of Node's for `https:` by authorities and a certificate that are not the process's. Bodies are bytes or text; nothing is redirected. */
export function fetchByTls(tls: ClientTls): typeof fetch {
  const agent = new Agent({ ...tls, keepAlive: true, timeout: IDLE_MS } as ConstructorParameters<typeof Agent>[0]);
  return (input, init = {}) =>
    new Promise((resolve, reject) => {
      const { method = 'GET', headers = {}, body, signal } = init;
      const sent = request(String(input), {
        agent,
        method,
        headers: Object.fromEntries(new Headers(headers)),
        ...(signal == null ? {} : { signal }),
      });
      // As `fetch` has it.
      sent.once('error', (cause) => reject(signal?.aborted ? signal.reason : new TypeError('fetch failed', { cause })));
      sent.once('response', (message) => {
        const { statusCode: status = 0, headersDistinct } = message;
        const pairs = Object.entries(headersDistinct).flatMap(([name, values = []]) =>
          values.map((value): [string, string] => [name, value]),
        );
        const empty = method === 'HEAD' || [204, 205, 304].includes(status);
        if (empty) message.resume();
        const content = empty ? null : (Readable.toWeb(message) as ReadableStream<Uint8Array>);
        resolve(new Response(content, { status, headers: pairs }));
      });
      sent.end(body as Uint8Array | string | undefined);
    });
}
