import {
  type Clock,
  type ClockTimer,
  DEFAULT_CRITICALITY,
  ENSEMBLE_PLATFORM,
  type ModelSpec,
  NO_DEADLINE,
  type Reason,
  type ReuseMetrics,
  ServingError,
  type Tensor,
  toServingError,
} from '../../core/index.js';
import {
  type MemberDone,
  type MemberFailed,
  type MemberOutcome,
  type QueueItem,
  type RequestQueue,
  StandIn,
} from '../batcher/index.js';
import { requestDigest } from './request-digest.js';
import type { Shelf } from './response-cache.js';

export interface ReusingQueueOptions {
  /** Where requests go that have to be computed. */
  readonly queue: RequestQueue;
  readonly spec: ModelSpec;
  readonly clock: Clock;
  readonly metrics: ReuseMetrics;
  /** Answers that are kept; undefined: none are. */
  readonly shelf: Shelf | undefined;
  /** Whether a request waits for an identical one that is computed. */
  readonly coalesce: boolean;
  /** Most requests that wait for others at once; those beyond are computed. */
  readonly maxFollowing: number;
}

/** What concerns the leader alone: the next one is tried in its place. Everything else would happen to that, too. */
const OF_LEADER: ReadonlySet<Reason> = new Set(['CLIENT_CANCELLED', 'DEADLINE_EXCEEDED', 'QUEUE_FULL', 'OVERLOADED']);

/**
 * A queue that computes nothing twice: answers from a cache, and identical requests in flight computed once. Every accepted item is
 * settled exactly once. Not for models whose answers depend on more than their inputs.
 */
export class ReusingQueue implements RequestQueue {
  readonly #options: ReusingQueueOptions;
  readonly #leading = new Map<QueueItem, Leader>();
  readonly #following = new Map<QueueItem, Leader>();
  /** By digest: what identical requests may join. */
  readonly #open = new Map<string, Leader>();

  constructor(options: ReusingQueueOptions) {
    this.#options = options;
  }

  /** Throws as the queue behind it; then the item is not settled. */
  enqueue(item: QueueItem): void {
    const { queue, spec, clock, metrics, shelf, coalesce, maxFollowing } = this.#options;
    // An ensemble may pass it on to a model that keeps state.
    if (item.sequence !== undefined) {
      queue.enqueue(item);
      return;
    }
    const beganNs = clock.nowNs();
    // Steps of an ensemble may read the parameters of its request.
    const parameters = spec.platform === ENSEMBLE_PLATFORM ? item.origin?.parameters : item.member.parameters;
    const digest = requestDigest(item.member, parameters);
    const kept = shelf?.get(digest);
    if (kept !== undefined) {
      const foundNs = clock.nowNs();
      metrics.cacheHit(foundNs - beganNs);
      item.settle(this.#reused(item, kept, 'cached', beganNs - item.enqueuedNs, foundNs));
      return;
    }
    const lookedNs = clock.nowNs() - beganNs;
    const leader = coalesce ? this.#open.get(digest) : undefined;
    if (leader?.takes(item) === true && this.#following.size < maxFollowing) this.#follow(item, leader);
    else this.#lead(item, digest, lookedNs, []);
  }

  cancel(item: QueueItem): void {
    const leader = this.#leading.get(item);
    if (leader !== undefined) this.#options.queue.cancel(leader);
    else if (item.sequence !== undefined) this.#options.queue.cancel(item);
    else this.#leave(item, new ServingError('CLIENT_CANCELLED', 'the client cancelled the request'));
  }

  #lead(item: QueueItem, digest: string, lookedNs: number, followers: readonly Follower[]): void {
    const leader: Leader = new Leader(item, digest, (outcome) => this.#settled(leader, outcome, lookedNs));
    this.#leading.set(item, leader);
    if (this.#options.coalesce && !this.#open.has(digest)) this.#open.set(digest, leader);
    for (const follower of followers) {
      leader.followers.set(follower.item, follower);
      this.#following.set(follower.item, leader);
    }
    try {
      this.#options.queue.enqueue(leader);
    } catch (thrown) {
      this.#forget(leader);
      for (const follower of followers) this.#following.delete(follower.item);
      throw thrown;
    }
  }

  #follow(item: QueueItem, leader: Leader): void {
    const { clock, metrics } = this.#options;
    metrics.coalesced();
    const late = () => {
      const message = 'the deadline passed while an identical request was waited for (queue)';
      this.#leave(item, new ServingError('DEADLINE_EXCEEDED', message));
    };
    const timer = item.deadlineNs === NO_DEADLINE ? undefined : clock.setTimer(item.deadlineNs, late);
    leader.followers.set(item, { item, timer });
    this.#following.set(item, leader);
  }

  /** A follower goes before its leader is answered. */
  #leave(item: QueueItem, error: ServingError): void {
    const leader = this.#following.get(item);
    if (leader === undefined) return;
    this.#following.delete(item);
    leader.followers.get(item)?.timer?.clear();
    leader.followers.delete(item);
    item.settle({ kind: 'failed', error, execution: 0 });
  }

  #forget(leader: Leader): void {
    this.#leading.delete(leader.item);
    if (this.#open.get(leader.digest) === leader) this.#open.delete(leader.digest);
  }

  #settled(leader: Leader, outcome: MemberOutcome, lookedNs: number): void {
    this.#forget(leader);
    const followers = [...leader.followers.values()];
    leader.followers.clear();
    if (outcome.kind === 'failed') {
      leader.item.settle(outcome);
      if (OF_LEADER.has(outcome.error.reason)) this.#handOver(leader, followers, lookedNs);
      else for (const follower of followers) this.#end(follower, outcome);
      return;
    }
    leader.item.settle(outcome);
    for (const follower of followers) this.#end(follower, this.#shared(follower.item, outcome));
    const { shelf, clock, metrics } = this.#options;
    if (shelf === undefined) return;
    // After the answers: nobody waits for the copy. The outputs are the lane's until this returns.
    const beganNs = clock.nowNs();
    shelf.put(leader.digest, outcome.outputs);
    metrics.cacheMiss(lookedNs + clock.nowNs() - beganNs);
  }

  /** The first that still waits is computed in the place of the leader, the others wait for it. */
  #handOver(leader: Leader, followers: readonly Follower[], lookedNs: number): void {
    for (let i = 0; i < followers.length; i++) {
      const { item, timer } = followers[i] as Follower;
      // Gone meanwhile, by what another one's answer led to.
      if (this.#following.get(item) !== leader) continue;
      this.#following.delete(item);
      timer?.clear();
      const rest = followers.slice(i + 1).filter((one) => this.#following.get(one.item) === leader);
      try {
        this.#lead(item, leader.digest, lookedNs, rest);
        return;
      } catch (thrown) {
        item.settle({ kind: 'failed', error: toServingError(thrown), execution: 0 });
        for (const one of rest) this.#following.set(one.item, leader);
      }
    }
  }

  #end({ item, timer }: Follower, outcome: MemberOutcome): void {
    if (!this.#following.delete(item)) return;
    timer?.clear();
    item.settle(outcome.kind === 'failed' ? ({ ...outcome, execution: 0 } satisfies MemberFailed) : outcome);
  }

  #shared(item: QueueItem, { outputs, batchFinishedNs }: MemberDone): MemberDone {
    return this.#reused(item, outputs, 'coalesced', batchFinishedNs - item.enqueuedNs, batchFinishedNs);
  }

  /** An answer that nothing was computed for: it took no time of a device and costs nothing. */
  #reused(
    item: QueueItem,
    outputs: readonly Tensor[],
    reused: 'cached' | 'coalesced',
    queueNs: number,
    finishedNs: number,
  ): MemberDone {
    return {
      kind: 'done',
      outputs,
      execution: 0,
      deviceNs: 0,
      cost: 0,
      queueNs: Math.max(queueNs, 0),
      gatherNs: 0,
      dispatchNs: 0,
      computeNs: 0,
      batchRows: this.#options.spec.maxBatchSize > 0 ? item.member.rows : 0,
      device: -1,
      batchRequests: 1,
      paddingShare: 0,
      batchFinishedNs: finishedNs,
      reused,
    };
  }
}

interface Follower {
  readonly item: QueueItem;
  readonly timer: ClockTimer | undefined;
}

/** A request that is computed, for itself and for those that follow it. */
class Leader extends StandIn {
  readonly digest: string;
  readonly followers = new Map<QueueItem, Follower>();
  readonly settle: (outcome: MemberOutcome) => void;

  constructor(item: QueueItem, digest: string, settle: (outcome: MemberOutcome) => void) {
    super(item);
    this.digest = digest;
    this.settle = settle;
  }

  /** Whether one may wait for it: one that matters more, or has another priority, might wait longer than on its own. */
  takes({ priority, criticality = DEFAULT_CRITICALITY }: QueueItem): boolean {
    return priority === this.priority && criticality >= this.criticality;
  }
}
