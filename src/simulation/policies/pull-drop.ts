import { type Plan, prefixInTime, type SchedulingView } from '../../serving/batcher/index.js';
import type { LivePolicyMaker } from './policy.js';

/** A free instance takes as many as still make the head's deadline; heads that nothing can save are dropped. */
export const pullDrop: LivePolicyMaker = () => [
  () => ({
    planned: true,
    decide(view: SchedulingView, nowNs: number) {
      const { policy, plan } = view;
      const line = (plan as Plan).line(policy.maxBatchSize);
      const members = prefixInTime(plan as Plan, line, 0, policy.maxBatchSize, nowNs);
      if (members === 0) return { kind: 'drop', members: 1, why: 'its deadline cannot be met any more' };
      return { kind: 'run', members, why: 'an instance is free' };
    },
  }),
];
