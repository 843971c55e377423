import type { SchedulingView } from '../../serving/batcher/index.js';
import type { LivePolicyMaker } from './policy.js';

/**
 * Clipper's cap on the size of a batch: one more after a full batch whose execution was within the SLO, a tenth less after
 * one that was not.
 */
export const aimd: LivePolicyMaker = ({ sloMs }) => [
  () => {
    let cap = 1;
    return {
      planned: false,
      decide(view: SchedulingView) {
        const members = Math.min(view.candidates.length, Math.floor(cap));
        return { kind: 'run', members, why: 'an instance is free' };
      },
      ended(rows: number, sinceStartMs: number) {
        if (sinceStartMs > sloMs) cap = Math.max(cap * 0.9, 1);
        else if (rows >= Math.floor(cap)) cap++;
      },
    };
  },
];
