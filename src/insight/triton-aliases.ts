import { REASONS, type Reason } from '../core/index.js';
import { type Figures, readers } from './catalogue.js';
import { Family, histogramSamples } from './family.js';
import type { Stage } from './request-figures.js';
import type { ReuseFigures } from './reuse-figures.js';
import { countOf, sumNsOf, TIME_BOUNDS_NS } from './time-histogram.js';
import type { VersionFigures } from './version-figures.js';

const FIRST_RESPONSE_MS = 'nv_inference_first_response_histogram_ms';
const BOUNDS_MS = TIME_BOUNDS_NS.map((ns) => ns / 1e6);

type TritonReason = 'REJECTED' | 'CANCELED' | 'BACKEND' | 'OTHER';

const TRITON_REASONS: readonly TritonReason[] = ['REJECTED', 'CANCELED', 'BACKEND', 'OTHER'];

/** What the scheduler refused or let expire is REJECTED in Triton; what the model or its runtime did is BACKEND. */
const BY_REASON: Partial<Record<Reason, TritonReason>> = {
  QUEUE_FULL: 'REJECTED',
  DEADLINE_EXCEEDED: 'REJECTED',
  CLIENT_CANCELLED: 'CANCELED',
  BACKEND_FAILED: 'BACKEND',
  EXECUTOR_LOST: 'BACKEND',
  OUTPUT_SHAPE_MISMATCH: 'BACKEND',
};

/** Which of them there are (`--metrics-config`). */
export interface TritonLatencies {
  /** Counters of time. */
  readonly counters: boolean;
  readonly histograms: boolean;
}

/** Triton's metrics under their own names, labels, units and help texts (core `src/metrics.cc`), for its dashboards. */
export function tritonFamilies(figures: Figures, { counters, histograms }: TritonLatencies): Family[] {
  return everyFamily(figures).filter(({ name }) => {
    if (name === FIRST_RESPONSE_MS) return histograms;
    return counters || !/_duration_(?:us|per_model)$/.test(name);
  });
}

function everyFamily(figures: Figures): Family[] {
  const { each } = readers(figures);
  const counter = (name: string, help: string, value: (version: VersionFigures) => number) =>
    new Family(name, 'counter', help, () => each((version, labels) => [{ labels, value: value(version) }]), [
      'model',
      'version',
    ]);
  // Of versions that have a cache, as in Triton.
  const cache = (name: string, help: string, value: (reuse: ReuseFigures) => number) =>
    new Family(
      name,
      'counter',
      help,
      () => each(({ reusedFigures: reuse }, labels) => (reuse === undefined ? [] : [{ labels, value: value(reuse) }])),
      ['model', 'version'],
    );
  const duration = (name: string, help: string, ...stages: Stage[]) =>
    counter(name, help, (version) => Math.floor(stages.reduce((ns, stage) => ns + version.stageNs(stage), 0) / 1000));
  return [
    counter(
      'nv_inference_request_success',
      'Number of successful inference requests, all batch sizes',
      (version) => version.successes,
    ),
    new Family(
      'nv_inference_request_failure',
      'counter',
      'Number of failed inference requests, all batch sizes',
      () =>
        each((version, labels) =>
          TRITON_REASONS.map((reason) => ({ labels: { ...labels, reason }, value: failures(version, reason) })),
        ),
      ['model', 'version', 'reason'],
    ),
    counter(
      'nv_inference_count',
      'Number of inferences performed (does not include cached requests)',
      (version) => version.rows,
    ),
    counter(
      'nv_inference_exec_count',
      'Number of model executions performed (does not include cached requests)',
      (version) => version.executions.count,
    ),
    duration(
      'nv_inference_request_duration_us',
      'Cumulative inference request duration in microseconds (includes cached requests)',
      'total',
    ),
    duration(
      'nv_inference_queue_duration_us',
      'Cumulative inference queuing duration in microseconds (includes cached requests)',
      'queue',
    ),
    duration(
      'nv_inference_compute_input_duration_us',
      'Cumulative compute input duration in microseconds (does not include cached requests)',
      'gather',
    ),
    duration(
      'nv_inference_compute_infer_duration_us',
      'Cumulative compute inference duration in microseconds (does not include cached requests)',
      'dispatch',
      'compute',
    ),
    duration(
      'nv_inference_compute_output_duration_us',
      'Cumulative inference compute output duration in microseconds (does not include cached requests)',
      'scatter',
    ),
    new Family(
      'nv_inference_pending_request_count',
      'gauge',
      'Instantaneous number of pending requests awaiting execution per-model.',
      () => each((version, labels) => [{ labels, value: version.queueDepth }]),
      ['model', 'version'],
    ),
    new Family(
      FIRST_RESPONSE_MS,
      'histogram',
      'Duration from request to first response in milliseconds',
      () =>
        each((version, labels) => {
          const slots = version.firstResponses();
          if (countOf(slots, 0) === 0) return [];
          return histogramSamples(FIRST_RESPONSE_MS, labels, BOUNDS_MS, slots, sumNsOf(slots, 0) / 1e6);
        }),
      ['model', 'version'],
    ),
    cache('nv_cache_num_hits_per_model', 'Number of cache hits per model', ({ hits }) => hits.count),
    cache('nv_cache_hit_duration_per_model', 'Total cache hit duration per model, in microseconds', ({ hits }) =>
      Math.floor(hits.ns / 1000),
    ),
    cache('nv_cache_num_misses_per_model', 'Number of cache misses per model', ({ misses }) => misses.count),
    cache(
      'nv_cache_miss_duration_per_model',
      'Total cache miss (insert+lookup) duration per model, in microseconds',
      ({ misses }) => Math.floor(misses.ns / 1000),
    ),
  ];
}

function failures(version: VersionFigures, wanted: TritonReason): number {
  let count = 0;
  for (const reason of REASONS) if ((BY_REASON[reason] ?? 'OTHER') === wanted) count += version.failures(reason);
  return count;
}
