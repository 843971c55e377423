import type { ModelVersionId } from './model.js';

/** Upper bounds of the buckets in nanoseconds (5 us to 10 s, three a decade), as every latency histogram here has them. */
export const LATENCY_BOUNDS_NS: readonly number[] = [
  5e3, 1e4, 2.5e4, 5e4, 1e5, 2.5e5, 5e5, 1e6, 2.5e6, 5e6, 1e7, 2.5e7, 5e7, 1e8, 2.5e8, 5e8, 1e9, 2.5e9, 5e9, 1e10,
];

export const LATENCY_BOUNDS_MS: readonly number[] = LATENCY_BOUNDS_NS.map((ns) => ns / 1e6);

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
