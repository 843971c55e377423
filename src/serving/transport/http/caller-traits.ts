import type { CallerTraits, WantedTraits } from '../../../core/index.js';
import { addressText } from '../client-address.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';

/** What routes want to know of the caller; only inside the handler, where the library has the headers. */
export function callerTraits(
  wanted: WantedTraits | undefined,
  request: HttpRequest,
  response: HttpResponse,
): CallerTraits | undefined {
  if (wanted === undefined) return undefined;
  const headers: Record<string, string> = Object.create(null);
  for (const name of wanted.headers) {
    const value = request.getHeader(name);
    if (value !== '') headers[name] = value;
  }
  return { headers, client: wanted.client ? addressText(new Uint8Array(response.getRemoteAddress())) : '' };
}
