import {
  type BatchPolicy,
  type CostModel,
  type Criticality,
  type ModelSpec,
  NO_DEADLINE,
  ServingError,
  type Tenant,
} from '../core/index.js';
import { Batcher, type MemberOutcome, type QueueItem } from '../serving/batcher/index.js';
import type { Load, Random } from './load.js';
import { type MixResult, NO_MIX, type Sender, Senders } from './mix.js';
import type { Policy } from './policies/policy.js';
import { SimulatedExecutor } from './simulated-executor.js';
import { VirtualClock } from './virtual-clock.js';

/** What became of the requests of one run. */
export interface RunResult {
  readonly requests: number;
  /** Answered within the SLO. */
  readonly inTime: number;
  /** Refused, at admission or later, so that others are in time. */
  readonly refused: number;
  /** Milliseconds from arrival to answer, ascending; only of those answered. */
  readonly latenciesMs: Float64Array;
  /** Milliseconds from arrival to refusal, ascending. */
  readonly refusalsMs: Float64Array;
  readonly executions: number;
  /** By tenant and by criticality. */
  readonly mix: MixResult;
  /** From the first arrival to the last answer. */
  readonly spanMs: number;
}

/** Rounding of times, which are sums: an answer this much past the SLO is in time. */
const ROUNDING_NS = 1;

/**
 * Sends requests at `arrivalsMs` (ascending) to the batcher that the gateway runs, on a virtual clock, and tells what became
 * of them. The same arguments give the same result.
 */
export function run(
  load: Load,
  policy: Policy,
  arrivalsMs: Float64Array,
  random: Random,
  senders = new Senders(NO_MIX, random),
): RunResult {
  const clock = new VirtualClock();
  const executor = new SimulatedExecutor(clock, load.curve, load.instances, load.jitter, random);
  const spec = specOf(load, policy);
  const costs: CostModel = { curve: () => load.curve, observe: () => {} };
  const batcher = new Batcher({
    spec,
    executor,
    clock,
    metrics: NO_FIGURES,
    maxQueueSize: Number.MAX_SAFE_INTEGER,
    ...(policy.planned ? { costs } : {}),
    ...(policy.decide === undefined ? {} : { decide: policy.decide }),
  });
  const sloNs = load.sloMs * 1e6;
  const latenciesMs: number[] = [];
  const refusalsMs: number[] = [];
  let inTime = 0;
  const settled = ({ enqueuedNs, sender }: SimulatedRequest, done: boolean) => {
    const ns = clock.nowNs() - enqueuedNs;
    (done ? latenciesMs : refusalsMs).push(ns / 1e6);
    const kept = done && ns <= sloNs + ROUNDING_NS;
    if (kept) inTime++;
    for (const part of sender.counted) {
      part.requests++;
      if (kept) part.inTime++;
      else if (done) part.late++;
      else part.refused++;
    }
  };
  if (policy.ended !== undefined) {
    executor.onEnded = (batch, sinceStartMs) => policy.ended?.(batch.rows, sinceStartMs);
  }
  for (const atMs of arrivalsMs) {
    clock.advanceTo(atMs * 1e6);
    const item = new SimulatedRequest(clock.nowNs(), senders.next(), settled);
    try {
      batcher.enqueue(item);
    } catch (thrown) {
      if (!(thrown instanceof ServingError)) throw thrown;
      settled(item, false);
    }
  }
  while (batcher.depth > 0 || executor.freeSlots() < load.instances) {
    if (!clock.fireNext()) throw new Error('requests wait, and nothing will happen any more');
  }
  return {
    requests: arrivalsMs.length,
    inTime,
    refused: refusalsMs.length,
    latenciesMs: Float64Array.from(latenciesMs).sort(),
    refusalsMs: Float64Array.from(refusalsMs).sort(),
    executions: executor.executions,
    mix: senders.result,
    spanMs: clock.nowNs() / 1e6,
  };
}

class SimulatedRequest implements QueueItem {
  readonly member = ONE_ROW;
  readonly key = '';
  readonly priority = 0;
  readonly timeoutUs = 0;
  readonly deadlineNs = NO_DEADLINE;
  readonly enqueuedNs: number;
  readonly tenant: Tenant;
  readonly criticality: Criticality;
  acceptedAs: unknown = undefined;
  readonly sender: Sender;
  readonly #settled: (request: SimulatedRequest, done: boolean) => void;

  constructor(enqueuedNs: number, sender: Sender, settled: (request: SimulatedRequest, done: boolean) => void) {
    this.enqueuedNs = enqueuedNs;
    this.sender = sender;
    this.tenant = sender.tenant;
    this.criticality = sender.criticality;
    this.#settled = settled;
  }

  settle(outcome: MemberOutcome): void {
    this.#settled(this, outcome.kind === 'done');
  }
}

const ONE_ROW = { inputs: [], rows: 1 };
const NO_FIGURES = { succeeded() {}, failed() {}, executed() {}, setQueueDepth() {} };

function specOf(load: Load, { batching, planned }: Policy): ModelSpec {
  const maxBatchSize = batching?.maxBatchSize ?? load.maxBatchSize;
  const policy: BatchPolicy = {
    dynamic: true,
    maxBatchSize,
    preferredBatchSizes: [],
    maxQueueDelayUs: 0,
    preserveOrdering: false,
    sloMs: planned ? load.sloMs : 0,
    priorityLevels: 0,
    defaultPriorityLevel: 0,
    defaultQueuePolicy: { timeoutAction: 'REJECT', defaultTimeoutUs: 0, allowTimeoutOverride: false, maxQueueSize: 0 },
    priorityQueuePolicies: new Map(),
    ...batching,
  };
  const id = { model: 'simulated', version: 1 };
  return { id, platform: '', backend: '', maxBatchSize, inputs: [], outputs: [], batching: policy, source: '' };
}
