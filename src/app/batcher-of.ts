import type { ServerConfig } from '../config/index.js';
import type { CostModel, ModelSpec } from '../core/index.js';
import { Batcher, type BatcherOptions, type Decide, decide as own, worthATry } from '../serving/batcher/index.js';
import { LIVE_POLICIES, type Policy } from '../simulation/index.js';

/**
 * The batcher of a version. One that has an SLO may be run by another policy than the gateway's own, to compare: by the same
 * batcher, with another decision.
 */
export function batcherOf(
  name: ServerConfig['schedulingPolicy'],
  options: BatcherOptions & { costs: CostModel },
): Batcher {
  const { spec, costs } = options;
  const { sloMs } = spec.batching;
  if (name === 'penstock' || sloMs === 0) return new Batcher(options);
  const policy: Policy = LIVE_POLICIES[name]({ sloMs })[0]();
  const { planned, decide } = policy;
  if (planned) return new Batcher({ ...options, ...(decide && { decide: oncePlanned(decide) }) });
  return new Batcher({ ...options, spec: withoutSlo(spec), costs: telling(policy, costs), ...(decide && { decide }) });
}

/** Of a decoupled model: how long a generation takes is not predicted, so deadlines order the line and refuse nobody beforehand. */
export function decoupledBatcher({ costs: _, ...options }: BatcherOptions): Batcher {
  return new Batcher(options);
}

/**
 * What a policy needs where times are learned: until they are known Triton's knobs, and where what is believed of them would
 * refuse everybody, now and then a run to correct it, as the gateway's own decision has it.
 */
function oncePlanned(decide: Decide): Decide {
  return (view, nowNs) => {
    const { plan } = view;
    if (plan === undefined) return own(view, nowNs);
    const decision = decide(view, nowNs);
    if (decision.kind !== 'drop' || !worthATry(view, plan, nowNs)) return decision;
    return { kind: 'run', members: 1, why: 'to see whether its deadline can be met after all' };
  };
}

/** Its requests wait for ever, as with a policy that knows no deadline. */
function withoutSlo(spec: ModelSpec): ModelSpec {
  return { ...spec, batching: { ...spec.batching, sloMs: 0 } };
}

/** The same costs; the policy is told of executions that end, too. */
function telling(policy: Policy, costs: CostModel): CostModel {
  return {
    curve: (...asked) => costs.curve(...asked),
    observe: (...seen) => {
      costs.observe(...seen);
      const [, rows, computeNs] = seen;
      policy.ended?.(rows, computeNs / 1e6);
    },
  };
}
