import type { DurationStatistic, MemoryUse, ModelVersionId, VersionStatistics } from '../../core/index.js';
import type { ModelStatistics } from './protocol-objects.js';

const NONE: DurationStatistic = { count: 0, ns: 0 };

/** One version's figures in the shape of the statistics extension; a version that never served has zeros. */
export function statisticsObject(
  id: ModelVersionId,
  figures: VersionStatistics | undefined,
  memory: readonly MemoryUse[],
): ModelStatistics {
  return {
    name: id.model,
    version: String(id.version),
    last_inference: figures?.lastInferenceMs ?? 0,
    inference_count: figures?.inferenceCount ?? 0,
    execution_count: figures?.executionCount ?? 0,
    inference_stats: {
      success: duration(figures?.success),
      fail: duration(figures?.fail),
      queue: duration(figures?.queue),
      compute_input: duration(figures?.computeInput),
      compute_infer: duration(figures?.computeInfer),
      compute_output: duration(figures?.computeOutput),
      cache_hit: duration(figures?.cacheHit),
      cache_miss: duration(figures?.cacheMiss),
    },
    response_stats: responseStats(figures),
    batch_stats: (figures?.batches ?? []).map((batch) => ({
      batch_size: batch.rows,
      compute_input: duration(batch.computeInput),
      compute_infer: duration(batch.computeInfer),
      compute_output: duration(batch.computeOutput),
    })),
    memory_usage: memory.map(({ type, id, bytes }) => ({ type, id, byte_size: bytes })),
  };
}

/** By the place of the response, from 0. */
function responseStats(figures: VersionStatistics | undefined): ModelStatistics['response_stats'] {
  const entries = (figures?.responses ?? []).map((response, place) => [
    String(place),
    {
      compute_infer: duration(response.computeInfer),
      compute_output: duration(response.computeOutput),
      success: duration(response.success),
      fail: duration(response.fail),
      empty_response: duration(response.emptyResponse),
      cancel: duration(response.cancel),
    },
  ]);
  return Object.fromEntries(entries);
}

/** Whole numbers: the wire's fields are unsigned integers, sums of measured times may carry a fraction. */
function duration({ count, ns }: DurationStatistic = NONE): DurationStatistic {
  return { count, ns: Math.round(ns) };
}
