import type { BatchPolicy, CostModel, Executor } from '../../core/index.js';
import type { RunningBatch } from './running-batch.js';

/**
 * What a batcher asks of the model of cost and tells it. It is told of every execution, and asked only where somebody has, or
 * had, a deadline: until then a request costs nothing for being plannable.
 */
export class CostUse {
  readonly #costs: CostModel | undefined;
  readonly #executor: Executor;
  #planning: boolean;

  constructor(costs: CostModel | undefined, policy: BatchPolicy, executor: Executor) {
    this.#costs = costs;
    this.#executor = executor;
    this.#planning = policy.sloMs > 0;
  }

  /** True once somebody had a deadline, or an SLO gives everybody one. */
  get planning(): boolean {
    return this.#planning;
  }

  /** Somebody has a deadline. */
  plan(): void {
    this.#planning = this.#costs !== undefined;
  }

  /** How long an execution that starts now is expected to take; 0 while nothing is known. */
  expectedNs(key: string, rows: number): number {
    if (!this.#planning || this.#costs === undefined) return 0;
    return this.#costs.curve(key, this.#executor.nextDevice?.())?.meanNs(rows) ?? 0;
  }

  /** An execution ended well. */
  ended(running: RunningBatch, key: string, takenNs: number, finishedNs: number): void {
    this.#costs?.observe(key, running.batch.rows, finishedNs - takenNs, finishedNs, running.handle?.device);
  }
}
