import { ServingError } from '../../../core/index.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import { Exchange } from './exchange.js';
import type { Guard } from './guarded-app.js';
import type { HttpState } from './http-options.js';

export interface CorsOptions {
  /** As browsers send them; `*` among them: all. */
  readonly origins: readonly string[];
  readonly maxAgeSecs: number;
}

/** What the library's object of a response is given along. */
interface Marked {
  /** The origin that may read it; empty: none. */
  allowedOrigin?: string;
}

/**
 * Cross-origin resource sharing (https://fetch.spec.whatwg.org/#http-cors-protocol): what pages of other origins may read.
 * Credentials of browsers (cookies, certificates) are never asked for: a page sends a token itself, as a header.
 */
export class CrossOrigin {
  readonly #any: boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #maxAge: string;

  constructor({ origins, maxAgeSecs }: CorsOptions) {
    this.#any = origins.includes('*');
    this.#origins = new Set(origins);
    this.#maxAge = String(maxAgeSecs);
  }

  /** Whether pages of an origin may. */
  allows(origin: string): boolean {
    return this.#any || this.#origins.has(origin);
  }

  /** Keeps for `write` whose request it is; inside the handler. */
  mark(response: HttpResponse, origin: string): void {
    if (!this.#any) (response as Marked).allowedOrigin = this.#origins.has(origin) ? origin : '';
  }

  /** The headers of every answer; before its body. */
  write(response: HttpResponse): void {
    if (this.#any) response.writeHeader('Access-Control-Allow-Origin', '*');
    else {
      response.writeHeader('Vary', 'Origin');
      const { allowedOrigin = '' } = response as Marked;
      if (allowedOrigin === '') return;
      response.writeHeader('Access-Control-Allow-Origin', allowedOrigin);
    }
    // Without credentials the star stands for all headers, those of routes included.
    response.writeHeader('Access-Control-Expose-Headers', '*');
  }

  /** Headers of the answer to OPTIONS, names and values in turn, where a browser asks before it calls. */
  preflight(request: HttpRequest, methods: readonly string[]): string[] {
    if (request.getHeader('access-control-request-method') === '' || !this.allows(request.getHeader('origin')))
      return [];
    const wanted = request.getHeader('access-control-request-headers');
    return [
      ...['Access-Control-Allow-Methods', methods.join(', ')],
      // What is asked for, since a star would leave out Authorization.
      ...(HEADER_NAMES.test(wanted) ? ['Access-Control-Allow-Headers', wanted] : []),
      ...['Access-Control-Max-Age', this.#maxAge],
    ];
  }
}

const HEADER_NAMES = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: *, *[!#$%&'*+.^_`|~0-9A-Za-z-]+)*$/;

/** Marks answers for their pages. To WebSockets browsers do not apply CORS: those of other pages are refused here. */
export function crossOriginGuard(state: HttpState, cors: CrossOrigin): Guard {
  return (response, request, upgrade) => {
    const origin = request.getHeader('origin');
    cors.mark(response, origin);
    if (!upgrade || origin === '' || cors.allows(origin)) return true;
    const exchange = new Exchange(state, response);
    exchange.watchCall(request);
    const shown = origin.slice(0, 128).replace(/[^\x21-\x7e]/g, '?');
    exchange.refuseFraming(new ServingError('FORBIDDEN', `pages of ${shown} may not open WebSockets here`));
    return false;
  };
}
