import type { ModelSpec, RequestMetrics } from '../../core/index.js';
import type { RequestQueue } from '../batcher/index.js';
import { Admission } from './admission.js';
import { SplitQueue } from './split-queue.js';

/** A version as requests meet it: its spec compiled for admission, its queue, its figures. */
export class ServedVersion {
  readonly spec: ModelSpec;
  readonly admission: Admission;
  readonly queue: RequestQueue;
  readonly metrics: RequestMetrics;

  constructor(spec: ModelSpec, queue: RequestQueue, metrics: RequestMetrics) {
    this.spec = spec;
    this.admission = new Admission(spec);
    const { maxBatchSize, batching } = spec;
    this.queue = batching.maxRequestRows === undefined ? queue : new SplitQueue(queue, maxBatchSize);
    this.metrics = metrics;
  }
}
