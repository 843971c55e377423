import type { ModelSpec, VersionMetrics } from '../../core/index.js';
import type { Batcher } from '../batcher/index.js';
import { Admission } from './admission.js';

/** A version as requests meet it: its spec compiled for admission, its queue, its figures. */
export class ServedVersion {
  readonly spec: ModelSpec;
  readonly admission: Admission;
  readonly batcher: Batcher;
  readonly metrics: VersionMetrics;

  constructor(spec: ModelSpec, batcher: Batcher, metrics: VersionMetrics) {
    this.spec = spec;
    this.admission = new Admission(spec);
    this.batcher = batcher;
    this.metrics = metrics;
  }
}
