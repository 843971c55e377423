import type { DurationStatistic, ReuseMetrics } from '../core/index.js';

/** Requests and nanoseconds. */
interface Count {
  count: number;
  ns: number;
}

/** What of a version was not computed twice. Written by the control thread, which has the cache. */
export class ReuseFigures implements ReuseMetrics {
  readonly hits: Count = { count: 0, ns: 0 };
  readonly misses: Count = { count: 0, ns: 0 };
  /** Requests that waited for identical ones. */
  followers = 0;
  #before = { hits: { count: 0, ns: 0 }, misses: { count: 0, ns: 0 } };

  cacheHit(ns: number): void {
    this.hits.count++;
    this.hits.ns += ns;
  }

  cacheMiss(ns: number): void {
    this.misses.count++;
    this.misses.ns += ns;
  }

  coalesced(): void {
    this.followers++;
  }

  restartStatistics(): void {
    this.#before = { hits: { ...this.hits }, misses: { ...this.misses } };
  }

  /** Triton's `cache_hit` and `cache_miss`. */
  sinceLoad(of: 'hits' | 'misses'): DurationStatistic {
    const { count, ns } = this.#before[of];
    return { count: this[of].count - count, ns: Math.round(this[of].ns - ns) };
  }
}
