import {
  type Clock,
  type Criticality,
  DEFAULT_CRITICALITY,
  type Executor,
  NO_DEADLINE,
  ServingError,
} from '../../core/index.js';
import type { ArrivalRate } from './arrival-rate.js';
import type { DeadlineGuard } from './deadline-guard.js';
import type { DecisionLog } from './decision-log.js';
import type { Entry } from './entry.js';
import type { QueueBounds } from './queue-bounds.js';
import type { QueueItem } from './queue-item.js';
import type { Why } from './scheduling-view.js';
import type { TenantAccount } from './tenant-account.js';
import type { Level, WaitLimits } from './wait-limits.js';
import type { WaitList } from './wait-list.js';

/** A request that is shed for a newcomer, and why. */
export interface Shed {
  readonly entry: Entry;
  readonly why: Why;
}

const NOBODY: readonly Shed[] = [];

export interface AdmissionDeskSources {
  readonly bounds: QueueBounds;
  /** Undefined where cost is unknown, or another decision does its own refusing. */
  readonly guard: DeadlineGuard | undefined;
  readonly waiting: WaitList;
  readonly arrivals: ArrivalRate;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly log: DecisionLog;
}

/** Says whether a request may wait, and who has to go for it: first for want of room, then for want of time. */
export class AdmissionDesk {
  readonly #sources: AdmissionDeskSources;

  constructor(sources: AdmissionDeskSources) {
    this.#sources = sources;
  }

  /**
   * Those that are to be shed if the newcomer is taken, mostly nobody; or why it is refused: `QUEUE_FULL`, `OVERLOADED`,
   * `DEADLINE_EXCEEDED`. Refusals are returned, not thrown: under overload nearly all is refused, and a throw that is caught and
   * passed on costs four times what the decision does.
   */
  admit(item: QueueItem, account: TenantAccount, level: Level, limits: WaitLimits): readonly Shed[] | ServingError {
    const { bounds, guard, arrivals, clock } = this.#sources;
    const criticality = item.criticality ?? DEFAULT_CRITICALITY;
    const { deadlineNs, answerByNs } = limits;
    const one = bounds.makeRoom(account, criticality, level);
    if (one instanceof ServingError) return this.#refused(one, 'the queue is full', item, account, criticality);
    const { rows } = item.member;
    arrivals.arrived(rows, item.enqueuedNs);
    if (guard === undefined || deadlineNs === NO_DEADLINE) return one === undefined ? NOBODY : [roomOf(one, account)];
    const { key, length = 0 } = item;
    const newcomer = { account, criticality, level: level.level, deadlineNs, answerByNs, rows, key, length };
    const others = guard.makeTime(newcomer, clock.nowNs());
    if (others instanceof ServingError)
      return this.#refused(others, 'it cannot be answered by its deadline', item, account, criticality);
    // Whoever gave its time has given its place.
    if (others.length === 0) return one === undefined ? NOBODY : [roomOf(one, account)];
    return others.map((entry) => ({ entry, why: 'gave its time to one that matters more' }));
  }

  #refused(
    error: ServingError,
    why: Why,
    item: QueueItem,
    account: TenantAccount,
    criticality: Criticality,
  ): ServingError {
    account.countRefused(criticality);
    const { executor, waiting, log, clock } = this.#sources;
    log.add(clock.nowNs(), 'refuse', why, item.member.rows, waiting.size, executor.freeSlots());
    return error;
  }
}

function roomOf(entry: Entry, account: TenantAccount): Shed {
  const same = entry.account === account;
  return {
    entry,
    why: same
      ? 'gave its place in the full queue to one that matters more'
      : 'gave its place in the full queue to a tenant that has less of it',
  };
}
