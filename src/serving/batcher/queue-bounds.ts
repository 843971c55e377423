import { type Criticality, OTHERS, type ServingError } from '../../core/index.js';
import type { DrainRate } from './drain-rate.js';
import type { Entry } from './entry.js';
import type { FairShares } from './fair-shares.js';
import * as refusals from './refusals.js';
import type { Settlement } from './settlement.js';
import type { TenantAccount } from './tenant-account.js';
import type { CountedLine } from './tenant-line.js';
import type { Level } from './wait-limits.js';
import type { WaitList } from './wait-list.js';

export interface QueueBoundsSources {
  /** Most requests that wait, where their level's policy sets no bound of its own. */
  readonly maxQueueSize: number;
  /** False where replies keep the order of requests: a place that is given up would still be held. */
  readonly mayDisplace: boolean;
  readonly waiting: WaitList;
  readonly shares: FairShares;
  readonly settlement: Settlement;
  readonly rate: DrainRate;
}

/** A tenant's part of a full queue, of one level or of all. */
interface Part {
  readonly account: TenantAccount;
  readonly requests: number;
  /** The one it misses least of those that matter less than `than` (-1: of all). */
  lastBelow(than: Criticality): Entry | undefined;
}

/** Who may wait in a queue that is full: tenants have a share of it by their weights, and within one tenant what matters most stays. */
export class QueueBounds {
  readonly #sources: QueueBoundsSources;

  constructor(sources: QueueBoundsSources) {
    this.#sources = sources;
  }

  /**
   * The request that gives its place to a newcomer, undefined where there is room. Of the tenant that has the most of the
   * queue by its weight it is the last of those that matter least; the newcomer itself is refused with `QUEUE_FULL` where
   * it would be that. Cost: linear in the tenants that wait, and only where the queue is full.
   */
  makeRoom(account: TenantAccount, criticality: Criticality, level: Level): Entry | ServingError | undefined {
    const { maxQueueSize, waiting, shares, settlement } = this.#sources;
    const own = level.policy.maxQueueSize;
    if (own > 0 && level.waiting >= own) {
      const parts = waiting.lines(level.level).map(partOfLine);
      return this.#giveWay(parts, account, criticality, level.waiting, own, level.level);
    }
    // Held replies keep memory, so they are bounded where a level's own bound counts only who waits.
    const { held } = settlement;
    const used = own > 0 ? held : waiting.size + held;
    if (used < maxQueueSize) return undefined;
    const parts = shares.active.map((one) => partOfAll(one, waiting));
    return this.#giveWay(parts, account, criticality, waiting.size + held, maxQueueSize, undefined);
  }

  #giveWay(
    parts: readonly Part[],
    account: TenantAccount,
    criticality: Criticality,
    used: number,
    bound: number,
    level: number | undefined,
  ): Entry | ServingError {
    const { mayDisplace, rate } = this.#sources;
    const own = parts.find((part) => part.account === account);
    let most = own;
    let mostShare = ((own?.requests ?? 0) + 1) / account.tenant.weight;
    for (const part of parts) {
      const share = part.requests / part.account.tenant.weight;
      if (part === own || share <= mostShare) continue;
      most = part;
      mostShare = share;
    }
    const victim = mayDisplace ? most?.lastBelow(most === own ? criticality : -1) : undefined;
    if (victim !== undefined) return victim;
    const alone = parts.every((part) => part.account === account);
    const share = alone ? undefined : { name: account.tenant.name, shared: account.tenant === OTHERS };
    return refusals.queueFull({ used, bound, level, retryAfterMs: rate.retryAfterMs(used), tenant: share });
  }
}

function partOfLine(line: CountedLine): Part {
  return { account: line.account, requests: line.requests, lastBelow: (than) => line.lastBelow(than) };
}

function partOfAll(account: TenantAccount, waiting: WaitList): Part {
  return { account, requests: account.waiting, lastBelow: (than) => waiting.lastOf(account, than) };
}
