import type { RequestAttribute } from './request-attribute.js';

/**
 * How a rollout divides the requests that would go to its baseline. A key falls into one of 10,000 buckets by a hash of salt and key;
 * the candidate has the buckets below `canaryBuckets`, so that a higher share keeps whom it had. Plain data: threads are
 * sent it.
 */
export interface ReleaseSplit {
  /** Of this division; a later one has a higher number, over all models and restarts. Facts say which assigned a request. */
  readonly number: number;
  /** Name of the rollout, as the route of an answer. */
  readonly rollout: string;
  readonly baseline: number;
  readonly candidate: number;
  /** Buckets whose requests the candidate answers, 0 to 10,000. */
  readonly canaryBuckets: number;
  /** Of the requests that the baseline answers, those in so many buckets are sent to the candidate too, for comparison. */
  readonly shadowBuckets: number;
  readonly salt: string;
  /** What keeps a caller on its side; undefined: every request is drawn anew. */
  readonly key: RequestAttribute | undefined;
}

/** What releases have to say about a model's traffic; it stands over the model's routes. Plain data. */
export interface ModelRelease {
  /** Serves requests that name no version, in the place of the highest one. */
  readonly defaultVersion: number;
  readonly split: ReleaseSplit | undefined;
}
