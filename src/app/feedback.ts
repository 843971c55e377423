import type { ServerConfig } from '../config/index.js';
import type { Clock, ModelSpec } from '../core/index.js';
import { FeedbackJoin, type FeedbackJoinOptions } from '../delivery/index.js';

export interface FeedbackParts {
  readonly clock: Clock;
  /** Throws for what does not serve. */
  readonly specOf: (model: string, version: number) => ModelSpec;
  readonly onJoined: NonNullable<FeedbackJoinOptions['onJoined']>;
  readonly keep: Omit<NonNullable<FeedbackJoinOptions['keep']>, 'clock'>;
}

/** The join of feedback and predictions of a configuration. */
export function createFeedback(
  { feedback }: ServerConfig,
  { clock, specOf, onJoined, keep }: FeedbackParts,
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
    onJoined,
    keep: { ...keep, clock },
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
