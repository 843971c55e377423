import type { VersionLatency } from '../../core/index.js';
import { sumNsOf } from '../time-histogram.js';
import type { VersionFigures } from '../version-figures.js';

/** The latency of a version as the control plane tells it, of now. */
export function latencyOf(figures: VersionFigures): VersionLatency {
  const sketch = figures.latency();
  return {
    count: sketch.count,
    sumSeconds: sumNsOf(figures.stageHistogram('total'), 0) / 1e9,
    longestSeconds: figures.longestNs / 1e9,
    quantileSeconds: (quantile) => sketch.quantileS(quantile),
    sketch: () => sketch.toObject(),
    sketchBase64: () => Buffer.from(sketch.toProtobuf()).toString('base64'),
  };
}
