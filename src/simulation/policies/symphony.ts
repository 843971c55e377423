import { type Plan, prefixInTime, type SchedulingView } from '../../serving/batcher/index.js';
import type { LivePolicyMaker } from './policy.js';

/** Deferred batching (Symphony): start when one more request could not join any more without the head being late. */
export const symphony: LivePolicyMaker = () => [
  () => ({
    planned: true,
    decide(view: SchedulingView, nowNs: number) {
      const plan = view.plan as Plan;
      const most = view.policy.maxBatchSize;
      const line = plan.line(most);
      const members = prefixInTime(plan, line, 0, most, nowNs);
      if (members === 0) return { kind: 'drop', members: 1, why: 'its deadline cannot be met any more' };
      const untilNs = plan.tightestNs - plan.curve.upperNs(plan.rows + 1);
      if (members < line.length || plan.rows >= most || untilNs <= nowNs)
        return { kind: 'run', members, why: 'the deadline of the head leaves no time for more' };
      return { kind: 'wait', untilNs, untilRows: 0, why: 'waits for more rows: the other instances suffice meanwhile' };
    },
  }),
];
