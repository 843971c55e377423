import { type Clock, type InstanceGroup, type RateLimiter, ServingError } from '../../core/index.js';
import type { Ration } from './ration.js';

/** A resource that was given a bound: its name, and the device it is of; global where that is undefined. */
export interface ResourceBound {
  readonly name: string;
  readonly device: number | undefined;
  readonly count: number;
}

interface Resource {
  /** Given on the command line; else the most that any instance needs. */
  readonly bound: number | undefined;
  used: number;
}

/**
 * Triton's rate limiter (`--rate-limit=execution_count`): named resources, of a device or global, that instances of all
 * models share; an instance runs only while it holds what its group asks for. Where several wait, those go first that have
 * had the least of the time so far, times their priority: so models that share a device share its time.
 */
export class ResourcePool {
  readonly #clock: Clock;
  readonly #bounds: readonly ResourceBound[];
  readonly #resources = new Map<string, Resource>();
  readonly #users = new Set<User>();

  constructor(clock: Clock, bounds: readonly ResourceBound[]) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  /** The part of one instance; `offer` is called when it may be able to run. Throws MODEL_INVALID where it never could. */
  join(group: InstanceGroup, offer: () => void): Ration | undefined {
    const { rateLimiter } = group;
    if (rateLimiter === undefined || rateLimiter.resources.length === 0) return undefined;
    const needs = this.#needsOf(rateLimiter, group);
    const user = new User(this, needs, Math.max(rateLimiter.priority, 1), offer, this.#leastNs());
    this.#users.add(user);
    return user;
  }

  fits(needs: readonly Need[]): boolean {
    for (const { resource, count } of needs) if (resource.used + count > this.#mostOf(resource)) return false;
    return true;
  }

  nowNs(): number {
    return this.#clock.nowNs();
  }

  /** What came free goes to those that wait, in the order of fairness. */
  offer(): void {
    const waiting = [...this.#users].filter((user) => !user.holds).sort((a, b) => a.servedNs - b.servedNs);
    for (const user of waiting) if (user.open) user.offer();
  }

  remove(user: User): void {
    this.#users.delete(user);
  }

  #needsOf({ resources }: RateLimiter, { device, deviceId }: InstanceGroup): Need[] {
    return resources.map(({ name, global, count }) => {
      const of = global ? undefined : device === 'cuda' ? deviceId : -1;
      const key = `${name}\n${of}`;
      let resource = this.#resources.get(key);
      if (resource === undefined) {
        resource = { bound: this.#boundOf(name, of), used: 0 };
        this.#resources.set(key, resource);
      }
      if (resource.bound !== undefined && count > resource.bound) {
        const bound = `${resource.bound} of it ${resource.bound === 1 ? 'is' : 'are'} there (--rate-limit-resource)`;
        throw new ServingError('MODEL_INVALID', `rate_limiter: an instance needs ${count} of '${name}', ${bound}`);
      }
      return { resource, count };
    });
  }

  /** A bound for the device itself wins over one for all devices. */
  #boundOf(name: string, device: number | undefined): number | undefined {
    const given = this.#bounds.filter((bound) => bound.name === name);
    return (given.find((bound) => bound.device === device) ?? given.find((bound) => bound.device === undefined))?.count;
  }

  #mostOf(resource: Resource): number {
    if (resource.bound !== undefined) return resource.bound;
    let most = 0;
    for (const user of this.#users) most = Math.max(most, user.countOf(resource));
    return most;
  }

  /** A newcomer starts where the least served stands: it makes up for no time at which it was not there. */
  #leastNs(): number {
    let leastNs = Number.POSITIVE_INFINITY;
    for (const user of this.#users) leastNs = Math.min(leastNs, user.servedNs);
    return leastNs === Number.POSITIVE_INFINITY ? 0 : leastNs;
  }
}

interface Need {
  readonly resource: Resource;
  readonly count: number;
}

class User implements Ration {
  readonly #pool: ResourcePool;
  readonly #needs: readonly Need[];
  readonly #priority: number;
  readonly offer: () => void;
  /** Time it held its ration, times its priority. */
  servedNs: number;
  #sinceNs: number | undefined;

  constructor(pool: ResourcePool, needs: readonly Need[], priority: number, offer: () => void, servedNs: number) {
    this.#pool = pool;
    this.#needs = needs;
    this.#priority = priority;
    this.offer = offer;
    this.servedNs = servedNs;
  }

  get holds(): boolean {
    return this.#sinceNs !== undefined;
  }

  get open(): boolean {
    return this.#pool.fits(this.#needs);
  }

  countOf(resource: Resource): number {
    return this.#needs.reduce((sum, need) => (need.resource === resource ? sum + need.count : sum), 0);
  }

  take(): void {
    if (this.#sinceNs !== undefined || !this.open) throw new Error('its resources are not there');
    for (const { resource, count } of this.#needs) resource.used += count;
    this.#sinceNs = this.#pool.nowNs();
  }

  give(): void {
    if (this.#sinceNs === undefined) return;
    for (const { resource, count } of this.#needs) resource.used -= count;
    this.servedNs += (this.#pool.nowNs() - this.#sinceNs) * this.#priority;
    this.#sinceNs = undefined;
    this.#pool.offer();
  }

  leave(): void {
    this.give();
    this.#pool.remove(this);
  }
}
