import { SeenExecutions } from './seen-executions.js';
import type { ExecutionCount } from './tallies.js';

/** Executions of an arm whose requests may still come, at most. */
const MOST_OPEN = 4096;
/** Executions whose number is remembered after they were counted. */
const MOST_SEEN = 4096;

/** An execution with the split of its first request. */
export interface OpenExecution extends ExecutionCount {
  readonly split: number;
  lastNs: number;
}

/** A request of an execution has its outcome. */
export interface Member {
  readonly execution: number;
  readonly split: number;
  readonly failed: boolean;
  readonly totalNs: number;
  readonly deviceNs: number;
}

/**
 * Executions of one arm until all their requests are in. Nobody says how many those are, and they may come from several
 * threads: an execution is taken as whole once none came for a while. Bounded: the oldest go early.
 */
export class OpenExecutions {
  readonly #open = new Map<number, OpenExecution>();
  #early: OpenExecution[] = [];
  readonly #seen = new SeenExecutions(MOST_SEEN);
  #coldLeft: number;

  constructor(coldExecutions: number) {
    this.#coldLeft = coldExecutions;
  }

  /** False: its execution was counted before, or began under another split; the request stands alone. */
  add({ execution, split, failed, totalNs, deviceNs }: Member, nowNs: number): boolean {
    let open = this.#open.get(execution);
    if (open === undefined) {
      if (!this.#seen.isFirst(execution)) return false;
      const cold = this.#coldLeft > 0;
      if (cold) this.#coldLeft--;
      open = { split, requests: 0, errors: 0, deviceNs: 0, totalNs: undefined, cold, lastNs: nowNs };
      if (this.#open.size >= MOST_OPEN) this.#leaveFirst();
      this.#open.set(execution, open);
    }
    if (open.split !== split) return false;
    open.requests++;
    open.deviceNs += deviceNs;
    open.lastNs = nowNs;
    if (failed) open.errors++;
    else open.totalNs ??= totalNs;
    return true;
  }

  /** Takes out those that no request came of since `quietNs`. */
  takeWhole(quietNs: number): readonly OpenExecution[] {
    const whole = this.#early;
    this.#early = [];
    for (const [execution, open] of this.#open) {
      if (open.lastNs > quietNs) continue;
      this.#open.delete(execution);
      whole.push(open);
    }
    return whole;
  }

  /** The version was loaded anew: it is cold, and its executions are numbered from the beginning. */
  restart(coldExecutions: number): void {
    this.#coldLeft = coldExecutions;
    this.#early.push(...this.#open.values());
    this.#open.clear();
    this.#seen.clear();
  }

  #leaveFirst(): void {
    for (const [execution, open] of this.#open) {
      this.#open.delete(execution);
      this.#early.push(open);
      return;
    }
  }
}
