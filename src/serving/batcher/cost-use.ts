import { type BatchPolicy, type CostModel, type Executor, executedRows } from '../../core/index.js';
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
  expectedNs(costClass: string, rows: number): number {
    if (!this.#planning || this.#costs === undefined) return 0;
    return this.#costs.curve(costClass, this.#executor.nextDevice?.())?.meanNs(rows) ?? 0;
  }

  /** An execution ended well. */
  ended({ batch, handle }: RunningBatch, costClass: string, takenNs: number, finishedNs: number): void {
    this.#costs?.observe(costClass, executedRows(batch), finishedNs - takenNs, finishedNs, handle?.device);
  }
}
