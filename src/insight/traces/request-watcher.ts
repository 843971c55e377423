import type { RequestTrace, RequestWatch, WatchedProtocol } from '../../core/index.js';
import { watchedCall } from '../access/access-records.js';
import { parseTraceparent } from './trace-context.js';
import { WatchedRequest, type WatchParts } from './watched-request.js';

/** Watches the requests of a thread: all of them where traces are made, else those that belong to a trace of their caller. */
export class RequestWatcher implements RequestWatch {
  readonly wantsClient: boolean;
  readonly call: RequestWatch['call'];
  readonly #parts: WatchParts;
  readonly #all: boolean;

  /** `all`: requests without a context of their caller are watched too. */
  constructor(parts: WatchParts, all: boolean) {
    const { access, clock } = parts;
    this.#parts = parts;
    this.#all = all;
    this.wantsClient = access !== undefined;
    this.call = access && watchedCall(access, clock);
  }

  begin(
    protocol: WatchedProtocol,
    receivedNs: number,
    traceparent: string,
    tracestate: string,
    userAgent: string,
  ): RequestTrace | undefined {
    const parent = traceparent === '' ? undefined : parseTraceparent(traceparent);
    if (parent === undefined && !this.#all && this.#parts.timelines?.active !== true) return undefined;
    return new WatchedRequest(this.#parts, protocol, receivedNs, parent, tracestate, userAgent);
  }
}

/** Of a gateway that makes no traces: contexts of callers are known, for logs, and nothing is kept. */
export function withoutTraces(parts: Pick<WatchParts, 'clock' | 'random' | 'access' | 'timelines'>): RequestWatch {
  const watching: WatchParts = {
    ...parts,
    head: { fraction: 0, followParent: false },
    keepErrors: 'none',
    keepSlowerThanNs: Number.POSITIVE_INFINITY,
    mayKeep: () => false,
    send: () => {},
  };
  return new RequestWatcher(watching, parts.access !== undefined);
}
