import type { ServerConfig } from '../config/index.js';
import type { Clock, ModelSpec } from '../core/index.js';
import { FeedbackJoin } from '../delivery/index.js';

/** The join of feedback and predictions of a configuration; `specOf` throws for what does not serve. */
export function createFeedback(
  { feedback }: ServerConfig,
  clock: Clock,
  specOf: (model: string, version: number) => ModelSpec,
): FeedbackJoin {
  return new FeedbackJoin({
    maxPredictions: feedback.maxPredictions,
    keepMs: feedback.keepSecs * 1000,
    maxEarly: feedback.maxEarly,
    earlyMs: feedback.earlySecs * 1000,
    settleMs: feedback.settleSecs * 1000,
    nowMs: () => clock.wallMs(),
    classIndex: (model, version, text) => {
      const index = labelsOf(() => specOf(model, version))?.indexOf(text) ?? -1;
      return index < 0 ? undefined : index;
    },
  });
}

/** Class names of the first output that has numbers, as summaries of answers are of it; undefined where there are none. */
function labelsOf(spec: () => ModelSpec): readonly string[] | undefined {
  try {
    return spec().outputs.find(({ dataType }) => dataType !== 'BYTES')?.labels;
  } catch {
    return undefined; // the version was unloaded since
  }
}
