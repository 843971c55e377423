import type { ModelVersionId } from './model.js';

/** A DDSketch as the JSON form of Datadog's `DDSketch.proto` has it: counts by bins of logarithms; values in seconds. */
export interface LatencySketchObject {
  readonly mapping: { readonly gamma: number; readonly indexOffset: number; readonly interpolation: 'NONE' };
  readonly positiveValues: {
    readonly contiguousBinCounts: readonly number[];
    readonly contiguousBinIndexOffset: number;
  };
  readonly zeroCount: number;
}

/** How long the requests of a version took that were answered, since the version was first loaded by this process. */
export interface VersionLatency {
  readonly count: number;
  readonly sumSeconds: number;
  /** 0 where none was answered. */
  readonly longestSeconds: number;
  /** The value that so much of the requests (0 to 1) do not exceed, in seconds, to 1 %; NaN where there are none. */
  quantileSeconds(quantile: number): number;
  sketch(): LatencySketchObject;
  /** The same as bytes of `DDSketch.proto`, in base64. */
  sketchBase64(): string;
}

export interface LatencySource {
  /** Undefined where the version never served. */
  latency(id: ModelVersionId): VersionLatency | undefined;
}
