import {
  type Batch,
  type BatchMember,
  type CostModel,
  executedRows,
  type ModelSpec,
  type PaddedTo,
} from '../../core/index.js';
import { AllowedSizes, SteppedCosts } from './allowed-sizes.js';
import { CostPlane } from './cost-plane.js';
import type { Entry } from './entry.js';
import { LengthClasses } from './length-classes.js';
import type { RunningBatch } from './running-batch.js';

/** A request as far as its shape goes. */
interface Shaped {
  readonly key: string;
  readonly length?: number;
}

/** The shapes that executions of a version have: what they are padded to, the class that their cost is learned in, and it. */
export class ExecutionShapes {
  readonly sizes: AllowedSizes;
  readonly lengths: LengthClasses;
  /** What is known of the time of executions, by the size that runs; undefined where nothing is. */
  readonly costs: CostModel | undefined;
  /** What lengths are chosen by; undefined where the model has none. */
  readonly plane: CostPlane | undefined;
  /** Most rows times length of an execution; a request alone may have more. */
  readonly #maxTokens: number;
  /** Names of the classes of the last key: most versions have one. */
  readonly #names = new Map<number, string>();
  #key = '';
  /** The class of shapes of the last execution that ended well. */
  lastClass = '';
  #executed = 0;
  #padding = 0;

  constructor({ batching, inputs }: ModelSpec, costs: CostModel | undefined) {
    this.sizes = new AllowedSizes(batching.allowedBatchSizes);
    this.lengths = new LengthClasses(batching.lengthClasses);
    this.costs = costs !== undefined && this.sizes.any ? new SteppedCosts(costs, this.sizes) : costs;
    this.#maxTokens = batching.maxBatchTokens ?? Number.POSITIVE_INFINITY;
    this.plane = inputs.some(({ lengthAxes }) => lengthAxes !== undefined) ? new CostPlane() : undefined;
  }

  /** Share of all that was executed so far that was padding; 0 before anything was. */
  get paddingShare(): number {
    return this.#executed === 0 ? 0 : this.#padding / this.#executed;
  }

  /** Whether so many rows may run together whose longest has `longest`. */
  fits(rows: number, longest: number): boolean {
    return this.sizes.up(rows) * this.lengths.padded(longest) <= this.#maxTokens;
  }

  /** How many of `entries`, which would start together, may: the first always, then as long as they fit. */
  fitting(entries: readonly Entry[]): number {
    let rows = 0;
    let longest = 0;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as Entry;
      rows += entry.rows;
      longest = Math.max(longest, entry.length);
      if (i > 0 && !this.fits(rows, longest)) return i;
    }
    return entries.length;
  }

  /** Rows that may run together at `length`, at most `maxRows`; at least 1. */
  rowsAt(length: number, maxRows: number): number {
    return Math.max(1, Math.min(maxRows, Math.floor(this.#maxTokens / length)));
  }

  /** The members of an execution, and what it is padded to where that is more than they are. */
  partsOf(entries: readonly Entry[], rows: number): Pick<Batch, 'members' | 'rows' | 'padded'> {
    const members: BatchMember[] = entries.map((entry) => entry.item.member);
    const padded = this.#paddedTo(entries, rows);
    return padded === undefined ? { members, rows } : { members, rows, padded };
  }

  #paddedTo(entries: readonly Entry[], rows: number): PaddedTo | undefined {
    let longest = 0;
    let shortest = Number.POSITIVE_INFINITY;
    for (const { length } of entries) {
      if (length > longest) longest = length;
      if (length < shortest) shortest = length;
    }
    const length = longest === 0 ? 0 : this.lengths.padded(longest);
    const padded = this.sizes.up(rows);
    return padded === rows && shortest === length ? undefined : { rows: padded, length };
  }

  /** The class of shapes of an execution. */
  executionClass(batch: Batch, entries: readonly Entry[]): string {
    const { item, length } = entries[0] as Entry;
    return this.costClass({ key: item.key, length: batch.padded?.length ?? length });
  }

  /** An execution ended well; its class. */
  ended({ batch, entries }: RunningBatch, computeNs: number): string {
    const length = batch.padded?.length ?? (entries[0] as Entry).length;
    if (length > 0) this.plane?.observe(executedRows(batch), length, computeNs);
    this.lastClass = this.executionClass(batch, entries);
    return this.lastClass;
  }

  /** The class of shapes of one request, run alone. */
  costClass({ key, length = 0 }: Shaped): string {
    return length === 0 ? key : this.className(key, this.lengths.of(length));
  }

  /** The name of a class of lengths (`LengthClasses.of`). */
  className(key: string, length: number): string {
    if (key !== this.#key) this.#names.clear();
    this.#key = key;
    let name = this.#names.get(length);
    if (name === undefined) {
      name = `${key}@${length}`;
      this.#names.set(length, name);
    }
    return name;
  }

  /** Share of an execution that ended that was padding, counted. */
  account(batch: Batch, entries: readonly Entry[]): number {
    const rows = executedRows(batch);
    const length = batch.padded?.length ?? 0;
    let own = batch.rows;
    if (length > 0) {
      own = 0;
      for (const entry of entries) own += (entry.rows * entry.length) / length;
    }
    this.#executed += rows * (length || (entries[0] as Entry).length || 1);
    if (batch.padded === undefined) return 0;
    this.#padding += (rows - own) * (length || 1);
    return (rows - own) / rows;
  }
}
