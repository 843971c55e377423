import type { BatchMember, Clock, ClockTimer, KeptText, Log, VersionPlan } from '../core/index.js';
import {
  costsText,
  ExecutionShapes,
  firstRow,
  LearnedCost,
  recallCosts,
  sweepCosts,
} from '../serving/batcher/index.js';
import { BatchKeys } from '../serving/dataplane/index.js';
import type { LaneExecutor } from '../serving/executor/index.js';

/** What was learned is written down this long after it began to be news; a program that is killed loses no more. */
const WRITE_AFTER_MS = 300_000;

/** Fewer executions than this say nothing worth a file. */
const NEWS = 16;

export interface VersionCostsOptions {
  readonly plan: VersionPlan;
  /** Undefined: nothing is kept. */
  readonly kept: KeptText | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** The times of one version's executions from its load to its end: recalled or measured first, learned then, written down. */
export class VersionCosts {
  readonly model = new LearnedCost();
  readonly #options: VersionCostsOptions;
  /** Undefined where the version does not plan by them from the start: what is learned meanwhile is not worth a file. */
  readonly #kept: KeptText | undefined;
  #writtenAt = 0;
  #timer: ClockTimer | undefined;

  constructor(options: VersionCostsOptions) {
    this.#options = options;
    const { batching } = options.plan.spec;
    const plans = batching.sloMs > 0 || batching.batchLimit === 'auto' || (options.plan.costSweepMs ?? 0) > 0;
    this.#kept = plans ? options.kept : undefined;
  }

  /** What an earlier run of the program kept, else what `sample` shows within the plan's time. Never rejects. */
  async begin(executor: LaneExecutor, sample: BatchMember | undefined): Promise<void> {
    const { plan, log } = this.#options;
    try {
      if (!(await this.#recall()) && sample !== undefined) await this.#sweep(executor, sample);
    } catch (cause) {
      log.warn('the time of executions could not be measured; it is learned from requests', { ...plan.spec.id, cause });
    }
    if (this.#kept !== undefined) this.#arm();
  }

  /** Writes down what is known. Never rejects. */
  async end(): Promise<void> {
    this.#timer?.clear();
    await this.#write();
  }

  async #recall(): Promise<boolean> {
    const text = await this.#kept?.read();
    if (text === undefined) return false;
    const { plan, log } = this.#options;
    try {
      recallCosts(this.model, text);
      log.debug('the time of executions is known from an earlier run', { ...plan.spec.id });
      return true;
    } catch (cause) {
      log.warn('what was kept of the time of executions cannot be read and is made again', { ...plan.spec.id, cause });
      return false;
    }
  }

  async #sweep(executor: LaneExecutor, sample: BatchMember): Promise<void> {
    const { plan, clock, log } = this.#options;
    const budgetMs = plan.costSweepMs ?? 0;
    if (budgetMs === 0) return;
    const { id, maxBatchSize } = plan.spec;
    const member = maxBatchSize === 0 ? sample : firstRow(sample);
    const batchKey = new BatchKeys(plan.spec).of(member.inputs);
    const { batching } = plan.spec;
    const shapes = new ExecutionShapes(plan.spec, undefined);
    const shapeClass = shapes.costClass(batchKey);
    const startNs = clock.nowNs();
    const measured = await sweepCosts({
      tryBatch: (batch) => executor.tryBatch(batch),
      version: id,
      member,
      maxBatchSize: batching.dynamic ? maxBatchSize : 1,
      sizes: batching.dynamic ? batching.allowedBatchSizes : undefined,
      length: batchKey.length === 0 ? 0 : shapes.lengths.padded(batchKey.length),
      budgetNs: budgetMs * 1e6,
      nowNs: () => clock.nowNs(),
    });
    for (const [device, sizes] of measured) this.model.believe({ shapeClass, device, sizes });
    const tookMs = Math.round((clock.nowNs() - startNs) / 1e6);
    const sizes = [...measured.values()][0]?.map(({ rows }) => rows);
    log.debug('the time of executions was measured', { ...id, tookMs, sizes });
    await this.#write();
  }

  #arm(): void {
    const { clock } = this.#options;
    this.#timer = clock.setTimer(clock.nowNs() + WRITE_AFTER_MS * 1e6, () => {
      void this.#write(); // never rejects
      this.#arm();
    });
  }

  async #write(): Promise<void> {
    const { observed } = this.model;
    if (this.#kept === undefined || (observed > 0 && observed - this.#writtenAt < NEWS)) return;
    if (observed === 0 && this.model.known().length === 0) return;
    this.#writtenAt = observed;
    await this.#kept.write(costsText(this.model));
  }
}
