import { existsSync } from 'node:fs';
import {
  type AuditEntry,
  type AuditOutcome,
  type AuditTrail,
  type DecisionEntry,
  type FeedbackBunch,
  type FeedbackChange,
  type FeedbackStore,
  type LabelSums,
  type LetterStore,
  type Log,
  type ModelRelease,
  type ReleaseChange,
  type ReleaseStore,
  type RolloutRecord,
  type RollupStore,
  ServingError,
} from '../core/index.js';
import { AuditTable } from './audit-table.js';
import { type CostLimits, CostTables } from './cost-tables.js';
import { type Database, storeFault } from './database.js';
import { DecisionLog } from './decision-log.js';
import { FeedbackTables } from './feedback-tables.js';
import { LetterTable } from './letter-table.js';
import { type ReleaseLimits, ReleaseTables } from './release-tables.js';
import { memoryDatabase, openStateFile, writeStateFile } from './state-file.js';

export interface StateLimits extends ReleaseLimits {
  /** Entries of the audit. */
  readonly audit: number;
}

export const STATE_LIMITS: StateLimits = { observations: 250_000, slack: 1000, rollouts: 1000, audit: 10_000 };
export const COST_LIMITS: CostLimits = { linesOfPeriod: 1000, runs: 1000, notices: 1000 };

export interface StateStoreOptions {
  /** Undefined: memory only. */
  readonly file: string | undefined;
  /** `now`: the file is made if there is none; `needed`: with the first change of a release, and all is in memory until then. */
  readonly make: 'now' | 'needed';
  readonly log: Log;
  readonly limits?: StateLimits;
  readonly costLimits?: CostLimits;
}

interface Tables {
  readonly database: Database;
  readonly releases: ReleaseTables;
  readonly feedback: FeedbackTables;
  readonly audit: AuditTable;
  readonly costs: CostTables;
  readonly letters: LetterTable;
  readonly durable: boolean;
}

const EVERYTHING = Number.MAX_SAFE_INTEGER;

/** Of the audit: the change that an entry is about is synced right after it, and the entry with it. Of joins, costs and letters: a loss of power may take the last ones. */
const NOT_SYNCED = false;

/**
 * What outlives the gateway: releases, routes of operators, rollouts with their decisions, joins of feedback, costs, letters to
 * webhooks, the audit. One process at a time. Nothing is loaded before there is something to keep, unless a file is there
 * already. Methods throw INTERNAL where they cannot write, and then nothing is changed.
 */
export class StateStore implements ReleaseStore, FeedbackStore, AuditTrail {
  /** What was spent. The file is made with the first batch, as with a release. */
  readonly costs: RollupStore = {
    add: (batch) => this.#write(this.#lasting(), ({ costs }) => costs.add(batch), NOT_SYNCED),
    compact: (beforeMs, dropMs) =>
      this.#write(this.#lasting(), ({ costs }) => costs.compact(beforeMs, dropMs), NOT_SYNCED),
    noteOnce: (budget, periodMs, threshold) =>
      this.#write(this.#lasting(), ({ costs }) => costs.noteOnce(budget, periodMs, threshold), NOT_SYNCED),
    sequenceOf: (run) => this.#tables?.costs.sequenceOf(run) ?? 0,
    currencies: () => this.#tables?.costs.sums.currencies() ?? [],
    lines: (query) => this.#tables?.costs.sums.lines(query) ?? [],
    devices: (query) => this.#tables?.costs.sums.devices(query) ?? [],
  };
  readonly letters: LetterStore = {
    keep: (letter) => this.#write(this.#lasting(), ({ letters }) => letters.add(letter), NOT_SYNCED),
    forget: (webhook, id) => this.#write(this.#any(), ({ letters }) => letters.remove(webhook, id), NOT_SYNCED),
    letters: () => this.#tables?.letters.all() ?? [],
  };
  /** Changes that could not be written. */
  writeFailures = 0;
  readonly #options: StateStoreOptions;
  readonly #limits: StateLimits;
  #tables: Tables | undefined;

  /** Throws CONFLICT, UNSUPPORTED or INTERNAL, with what to do, where the file cannot be had (`openStateFile`). */
  constructor(options: StateStoreOptions) {
    this.#options = options;
    this.#limits = options.limits ?? STATE_LIMITS;
    const { file, make } = options;
    if (file !== undefined && (make === 'now' || existsSync(file))) this.#tables = this.#makeDurable(file);
  }

  /** Whether what is committed now is still there after an end of the process. */
  get durable(): boolean {
    return this.#tables?.durable ?? false;
  }

  commit(change: ReleaseChange): void {
    const work = ({ releases, feedback }: Tables) => {
      releases.write(change);
      if (change.feedback !== undefined) feedback.write(change.feedback);
    };
    this.#write(this.#lasting(), work, DecisionLog.weighty(change));
  }

  keepFeedback(change: FeedbackChange): void {
    this.#write(this.#lasting(), ({ feedback }) => feedback.write(change), NOT_SYNCED);
  }

  feedbackBunches(after: number, most: number): readonly (FeedbackBunch & { readonly sequence: number })[] {
    return this.#tables?.feedback.bunches(after, most) ?? [];
  }

  labelSums(): readonly LabelSums[] {
    return this.#tables?.feedback.sums() ?? [];
  }

  nextSplitNumber(): number {
    return this.#write(this.#lasting(), ({ releases }) => releases.nextSplitNumber());
  }

  rollouts(): readonly RolloutRecord[] {
    return this.#tables?.releases.rollouts() ?? [];
  }

  decisions(rollout: string, after = 0, most = EVERYTHING): readonly (DecisionEntry & { readonly sequence: number })[] {
    return this.#tables?.releases.decisions.entries(rollout, after, most) ?? [];
  }

  releases(): ReadonlyMap<string, ModelRelease> {
    return this.#tables?.releases.releases() ?? new Map();
  }

  routes(): ReadonlyMap<string, string> {
    return this.#tables?.releases.routes() ?? new Map();
  }

  add(entry: AuditEntry): number {
    return this.#write(this.#any(), ({ audit }) => audit.add(entry), NOT_SYNCED);
  }

  settle(sequence: number, outcome: AuditOutcome): void {
    this.#write(this.#any(), ({ audit }) => audit.settle(sequence, outcome), NOT_SYNCED);
  }

  entries(before = EVERYTHING, most = 100): readonly (AuditEntry & { readonly sequence: number })[] {
    return this.#tables?.audit.entries(before, most) ?? [];
  }

  /** Gives the file back. Idempotent; nothing else may be called after. */
  close(): void {
    this.#tables?.database.close();
    this.#tables = undefined;
  }

  #write<T>(tables: Tables, work: (tables: Tables) => T, synced = true): T {
    try {
      return tables.database.transaction(() => work(tables), synced);
    } catch (thrown) {
      tables.releases.decisions.rolledBack();
      tables.costs.rolledBack();
      throw this.#failed(thrown);
    }
  }

  #failed(thrown: unknown): ServingError {
    // Our own refusals are no failures of the disk.
    if (!(thrown instanceof ServingError)) this.writeFailures++;
    return storeFault(thrown);
  }

  #any(): Tables {
    this.#tables ??= this.#over(memoryDatabase(), false);
    return this.#tables;
  }

  #lasting(): Tables {
    const { file } = this.#options;
    const tables = this.#tables;
    if (file === undefined) return this.#any();
    if (tables?.durable === true) return tables;
    let durable: Tables;
    try {
      durable = this.#makeDurable(file, tables?.database);
    } catch (thrown) {
      // Its message names files, and goes to whoever asked for the change.
      throw this.#failed(new Error('the state file cannot be had', { cause: thrown }));
    }
    tables?.database.close();
    this.#tables = durable;
    return durable;
  }

  /** Opens the file, made of what `content` holds where there is none. */
  #makeDurable(file: string, content?: Database): Tables {
    const made = !existsSync(file);
    if (made) {
      const database = content ?? memoryDatabase();
      try {
        writeStateFile(database, file);
      } finally {
        if (content === undefined) database.close();
      }
    }
    const tables = this.#over(openStateFile(file), true);
    this.#options.log.info(made ? 'state is kept in a new file' : 'state is kept', { file });
    return tables;
  }

  #over(database: Database, durable: boolean): Tables {
    return {
      database,
      releases: new ReleaseTables(database, this.#limits),
      feedback: new FeedbackTables(database),
      audit: new AuditTable(database, this.#limits.audit),
      costs: new CostTables(database, this.#options.costLimits ?? COST_LIMITS),
      letters: new LetterTable(database),
      durable,
    };
  }
}
