import { type CallerTraits, ForwardedHeaders, type WantedTraits } from '../../../core/index.js';
import { addressText } from '../client-address.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';

/**
 * What routes want to know of the caller, and the headers that `forward` matches; only inside the handler, where the library
 * has the headers. Throws MALFORMED_REQUEST where one that matches is reserved.
 */
export function callerTraits(
  wanted: WantedTraits | undefined,
  forward: RegExp | undefined,
  request: HttpRequest,
  response: HttpResponse,
): CallerTraits | undefined {
  if (wanted === undefined && forward === undefined) return undefined;
  const headers: Record<string, string> = Object.create(null);
  for (const name of wanted?.headers ?? []) {
    const value = request.getHeader(name);
    if (value !== '') headers[name] = value;
  }
  const client = wanted?.client === true ? addressText(new Uint8Array(response.getRemoteAddress())) : '';
  return forward === undefined ? { headers, client } : { headers, client, forwarded: forwardedOf(forward, request) };
}

function forwardedOf(forward: RegExp, request: HttpRequest) {
  const forwarded = new ForwardedHeaders(forward);
  let refused: unknown;
  // What is thrown inside does not come out of the library.
  request.forEach((name, value) => {
    try {
      forwarded.add(name, value);
    } catch (thrown) {
      refused = thrown;
    }
  });
  if (refused !== undefined) throw refused;
  return forwarded.found;
}
