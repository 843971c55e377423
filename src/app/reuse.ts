import type { Clock, Log, VersionMetrics, VersionPlan } from '../core/index.js';
import type { RequestQueue } from '../serving/batcher/index.js';
import { type CacheState, ResponseCache, ReusingQueue } from '../serving/response-cache/index.js';

export interface ReuseOptions {
  /** Of answers that are kept; 0: none are. */
  readonly maxBytes: number;
  /** Requests of a version that wait for others, at most. */
  readonly maxFollowing: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** A version's queue, and what is to be done when the version is gone. */
export interface ReusedQueue {
  readonly queue: RequestQueue;
  readonly forget: () => void;
}

/** The response cache of a gateway, and the queues of versions that use answers again. */
export class Reuse {
  readonly #options: ReuseOptions;
  readonly #cache: ResponseCache | undefined;

  constructor(options: ReuseOptions) {
    this.#options = options;
    this.#cache = options.maxBytes > 0 ? new ResponseCache(options.maxBytes) : undefined;
  }

  /** Undefined: there is no cache. */
  get state(): CacheState | undefined {
    return this.#cache?.state;
  }

  /** `queue` itself, where the version's config asks for nothing. */
  queueOf({ spec, reuse }: VersionPlan, queue: RequestQueue, figures: VersionMetrics): ReusedQueue {
    const { clock, log, maxFollowing } = this.#options;
    if (reuse?.cache === true && this.#cache === undefined) {
      log.warn('response_cache is enabled but the server has no cache: --cache-config=local,size=BYTES makes one', {
        ...spec.id,
      });
    }
    const shelf = reuse?.cache === true ? this.#cache?.shelf() : undefined;
    const coalesce = reuse?.coalesce ?? false;
    if (shelf === undefined && !coalesce) return { queue, forget: () => {} };
    const metrics = figures.reuse();
    return {
      queue: new ReusingQueue({ queue, spec, clock, metrics, shelf, coalesce, maxFollowing }),
      forget: () => shelf?.clear(),
    };
  }
}
