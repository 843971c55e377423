import type { ServerConfig } from '../config/index.js';
import type { CostModel, SequencePlan } from '../core/index.js';
import type { BatcherOptions } from '../serving/batcher/index.js';
import type { LaneExecutor, SpareTime } from '../serving/executor/index.js';
import { Sequencer } from '../serving/sequencer/index.js';
import { batcherOf } from './batcher-of.js';

export interface SequencerParts extends Omit<BatcherOptions, 'executor' | 'costs'> {
  readonly plan: SequencePlan;
  readonly costs: CostModel;
  readonly policy: ServerConfig['schedulingPolicy'];
  readonly executor: LaneExecutor;
  readonly spareTime: SpareTime;
}

/** The queue of a version that serves sequences: a batcher for each of its instances behind one sequencer. */
export function sequencerOf(parts: SequencerParts): { readonly queue: Sequencer; readonly leave: () => void } {
  const { plan, policy, executor, spareTime, spec, clock, metrics, maxQueueSize, ...rest } = parts;
  const shared = executor.apart().map((one, i) => spareTime.share(one, [executor.deviceOf(i)]));
  let instance = 0;
  const queue = new Sequencer({
    spec,
    plan,
    executors: shared.map(({ foreground }) => foreground),
    clock,
    metrics,
    maxQueueSize,
    open: (own) => {
      const batcher = batcherOf(policy, { ...rest, ...own, clock });
      const part = shared[instance++];
      if (part !== undefined) part.waiting = () => batcher.depth;
      return batcher;
    },
  });
  return {
    queue,
    leave: () => {
      for (const part of shared) part.leave();
    },
  };
}
