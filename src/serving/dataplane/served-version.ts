import { type ModelSpec, type RequestMetrics, whyUncopied } from '../../core/index.js';
import type { RequestQueue } from '../batcher/index.js';
import { Admission } from './admission.js';
import { SplitQueue } from './split-queue.js';

/** A version as requests meet it: its spec compiled for admission, its queue, its figures. */
export class ServedVersion {
  readonly spec: ModelSpec;
  readonly admission: Admission;
  readonly queue: RequestQueue;
  readonly metrics: RequestMetrics;
  /** Of copies of requests that it answers for comparison; undefined: it takes none. */
  readonly shadowQueue: RequestQueue | undefined;

  constructor(spec: ModelSpec, queue: RequestQueue, metrics: RequestMetrics, shadowQueue?: RequestQueue) {
    this.spec = spec;
    this.admission = new Admission(spec);
    const { maxBatchSize, batching } = spec;
    const splitting = (one: RequestQueue) =>
      batching.maxRequestRows === undefined ? one : new SplitQueue(one, maxBatchSize);
    this.queue = splitting(queue);
    this.shadowQueue = whyUncopied(spec) === undefined ? shadowQueue && splitting(shadowQueue) : undefined;
    this.metrics = metrics;
  }

  /** Of a request of this priority the level, from 1; 0: the version has no levels. */
  priorityPlace(priority: number): number {
    const { priorityLevels, defaultPriorityLevel } = this.spec.batching;
    return priority >= 1 && priority <= priorityLevels ? priority : priorityLevels === 0 ? 0 : defaultPriorityLevel;
  }
}
