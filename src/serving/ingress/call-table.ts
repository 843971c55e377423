import { DEFAULT_CRITICALITY, NOBODY, REASONS, type Reason, ServingError, UNROUTED } from '../../core/index.js';
import type { MemberDone, MemberFailed, QueueItem } from '../batcher/index.js';
import { HandleRing } from './handle-ring.js';

/** Numbers of one row; 256 bytes, so that rows share no cache line. */
const ROW_WORDS = 32;
const ROW_BYTES = ROW_WORDS * Float64Array.BYTES_PER_ELEMENT;
/** Where a call's inputs, and a refusal's text, begin in their row. */
const INPUTS_AT = 9;
const TEXT_AT_BYTES = 7 * Float64Array.BYTES_PER_ELEMENT;

const CRITICALITY_PLACES = 8;

/** Of a request's second word: its inputs stand in the row; it is a copy, for the queue of those; its charge is named; it is in a sequence. */
const INPUTS_INSIDE = 1;
const OF_SHADOW = 2;
const CHARGE_NAMED = 4;
/** What its steps did is to be told: only asked of ensembles. */
const STEPS_WATCHED = 8;
const IN_SEQUENCE = 16;
/** What it says of itself for the steps of an ensemble comes beside it. */
const ORIGIN_TOLD = 32;
const WITH_PARAMETERS = 64;
/** Beyond that the place of its charge. */
const CHARGE_PLACES = 128;

/** Ways in which an answer may be another request's, by number. */
const REUSED: readonly MemberDone['reused'][] = [undefined, 'cached', 'coalesced'];

/** Numbers that a call's inputs may take in its row; more of them travel beside the table. */
export const ROW_INPUT_WORDS = ROW_WORDS - INPUTS_AT;

/** What an ingress thread and the control thread share of the calls between them. */
export interface CallMemory {
  /** One row a call in flight: its request, then in the same place its answer. */
  readonly rows: SharedArrayBuffer;
  /** Rows handed to the control thread, and their cancellations; and rows handed back with the answer. */
  readonly requests: SharedArrayBuffer;
  readonly replies: SharedArrayBuffer;
}

/** Memory for `calls` in flight at once (a power of two). */
export function callMemory(calls: number): CallMemory {
  return {
    rows: new SharedArrayBuffer(calls * ROW_BYTES),
    // At most three entries a row stand unread: a call's cancellation, the row's next call, and its cancellation.
    requests: new SharedArrayBuffer(HandleRing.bytes(4 * calls)),
    // At most two: a call's answer, and that its memory is not read any more.
    replies: new SharedArrayBuffer(HandleRing.bytes(2 * calls)),
  };
}

/** What a row's answer is, before what it carries is read. */
export type ReplyKind = 'done' | 'failed' | 'beside';
const DONE = 0;
const FAILED = 1;
const BESIDE = 2;

/**
 * The rows. A row belongs to the ingress thread until its number goes into the ring of requests, then to the control thread
 * until the number comes back through the ring of replies.
 */
export class CallTable {
  readonly #words: Float64Array;
  readonly #bytes: Buffer;
  readonly size: number;

  constructor(rows: SharedArrayBuffer) {
    this.#words = new Float64Array(rows);
    this.#bytes = Buffer.from(rows);
    this.size = this.#words.length / ROW_WORDS;
  }

  /**
   * `inputs` undefined: they are the next message beside the table. At most `ROW_INPUT_WORDS`. `named`: before that comes
   * the name of the tenant, whose place says it from then on, and with `chargeNamed` after it that of the charge; then its
   * place in a sequence, where it has one, its origin (`told`), and its parameters, where its model is told of them. `shadow`: it is for the version's queue of copies. `watched`: its answer tells of
   * the steps of an ensemble.
   */
  writeRequest(
    row: number,
    version: number,
    item: QueueItem,
    outputsAt: number,
    inputs: readonly number[] | undefined,
    named: boolean,
    chargeNamed: boolean,
    shadow: boolean,
    watched: boolean,
    told: boolean,
  ): void {
    const words = this.#words;
    const at = row * ROW_WORDS;
    words[at] = version;
    const { charge = UNROUTED } = item;
    words[at + 1] =
      (inputs === undefined ? 0 : INPUTS_INSIDE) +
      (shadow ? OF_SHADOW : 0) +
      (chargeNamed ? CHARGE_NAMED : 0) +
      (watched ? STEPS_WATCHED : 0) +
      (item.sequence === undefined ? 0 : IN_SEQUENCE) +
      (told ? ORIGIN_TOLD : 0) +
      (item.member.parameters === undefined ? 0 : WITH_PARAMETERS) +
      charge.index * CHARGE_PLACES;
    words[at + 2] = item.member.rows;
    words[at + 3] = item.priority;
    words[at + 4] = item.timeoutUs;
    words[at + 5] = item.deadlineNs;
    words[at + 6] = item.enqueuedNs;
    words[at + 7] = outputsAt;
    const { tenant = NOBODY, criticality = DEFAULT_CRITICALITY } = item;
    words[at + 8] = (tenant.index * CRITICALITY_PLACES + criticality) * 2 + (named ? 1 : 0);
    if (inputs === undefined) return;
    for (let i = 0; i < inputs.length; i++) words[at + INPUTS_AT + i] = inputs[i] as number;
  }

  version(row: number): number {
    return this.#words[row * ROW_WORDS] as number;
  }

  /** Where the row's inputs stand in `words`; -1: they are the next message beside the table. */
  inputsAt(row: number): number {
    const at = row * ROW_WORDS;
    return ((this.#words[at + 1] as number) & INPUTS_INSIDE) !== 0 ? at + INPUTS_AT : -1;
  }

  /** All rows, for `inputsAt`. */
  get words(): Float64Array {
    return this.#words;
  }

  request(row: number) {
    const words = this.#words;
    const at = row * ROW_WORDS;
    return {
      rows: words[at + 2] as number,
      priority: words[at + 3] as number,
      timeoutUs: words[at + 4] as number,
      deadlineNs: words[at + 5] as number,
      enqueuedNs: words[at + 6] as number,
      outputsAt: words[at + 7] as number,
      shadow: ((words[at + 1] as number) & OF_SHADOW) !== 0,
      chargeNamed: ((words[at + 1] as number) & CHARGE_NAMED) !== 0,
      watched: ((words[at + 1] as number) & STEPS_WATCHED) !== 0,
      inSequence: ((words[at + 1] as number) & IN_SEQUENCE) !== 0,
      withParameters: ((words[at + 1] as number) & WITH_PARAMETERS) !== 0,
      originTold: ((words[at + 1] as number) & ORIGIN_TOLD) !== 0,
      chargeIndex: Math.floor((words[at + 1] as number) / CHARGE_PLACES),
      ...callerOf(words[at + 8] as number),
    };
  }

  /** The figures of an answer; its outputs lie in the call's slot. */
  writeDone(row: number, done: MemberDone): void {
    const words = this.#words;
    const at = row * ROW_WORDS;
    words[at] = DONE;
    words[at + 2] = done.batchRows;
    words[at + 3] = done.queueNs;
    words[at + 4] = done.gatherNs;
    words[at + 5] = done.dispatchNs;
    words[at + 6] = done.computeNs;
    words[at + 7] = done.batchFinishedNs;
    words[at + 8] = done.paddingShare;
    words[at + 9] = done.execution;
    words[at + 10] = done.deviceNs;
    words[at + 11] = done.batchRequests;
    words[at + 12] = done.cost ?? Number.NaN;
    words[at + 13] = done.device;
    words[at + 14] = REUSED.indexOf(done.reused);
  }

  readDone(row: number): Omit<MemberDone, 'outputs'> {
    const words = this.#words;
    const at = row * ROW_WORDS;
    const cost = words[at + 12] as number;
    return {
      kind: 'done',
      batchRows: words[at + 2] as number,
      queueNs: words[at + 3] as number,
      gatherNs: words[at + 4] as number,
      dispatchNs: words[at + 5] as number,
      computeNs: words[at + 6] as number,
      batchFinishedNs: words[at + 7] as number,
      paddingShare: words[at + 8] as number,
      execution: words[at + 9] as number,
      deviceNs: words[at + 10] as number,
      batchRequests: words[at + 11] as number,
      cost: Number.isNaN(cost) ? undefined : cost,
      device: words[at + 13] as number,
      reused: REUSED[words[at + 14] as number],
    };
  }

  /** False where the error does not fit: its text is too long, or it has a cause for the log. */
  writeFailed(row: number, { error, execution, begunNs }: MemberFailed): boolean {
    if (error.cause !== undefined) return false;
    const bytes = Buffer.byteLength(error.message);
    if (bytes > ROW_BYTES - TEXT_AT_BYTES) return false;
    const words = this.#words;
    const at = row * ROW_WORDS;
    words[at] = FAILED;
    words[at + 2] = REASONS.indexOf(error.reason);
    words[at + 3] = error.retryAfterMs ?? -1;
    words[at + 4] = bytes;
    words[at + 5] = execution;
    words[at + 6] = begunNs ?? 0;
    this.#bytes.write(error.message, row * ROW_BYTES + TEXT_AT_BYTES, bytes);
    return true;
  }

  readFailed(row: number): MemberFailed {
    const words = this.#words;
    const at = row * ROW_WORDS;
    const from = row * ROW_BYTES + TEXT_AT_BYTES;
    const message = this.#bytes.toString('utf8', from, from + (words[at + 4] as number));
    const retryAfterMs = words[at + 3] as number;
    const reason = REASONS[words[at + 2] as number] as Reason;
    const error = new ServingError(reason, message, retryAfterMs < 0 ? {} : { retryAfterMs });
    const begunNs = words[at + 6] === 0 ? undefined : (words[at + 6] as number);
    return { kind: 'failed', error, execution: words[at + 5] as number, begunNs };
  }

  /** The answer is the next message beside the table. */
  writeBeside(row: number): void {
    this.#words[row * ROW_WORDS] = BESIDE;
  }

  /** Whether the call's memory is still read; then another entry of the ring says when it is not. */
  writeHeld(row: number, held: boolean): void {
    this.#words[row * ROW_WORDS + 1] = held ? 1 : 0;
  }

  held(row: number): boolean {
    return this.#words[row * ROW_WORDS + 1] === 1;
  }

  replyKind(row: number): ReplyKind {
    const kind = this.#words[row * ROW_WORDS];
    return kind === DONE ? 'done' : kind === FAILED ? 'failed' : 'beside';
  }
}

/** Who calls, in one number. */
function callerOf(word: number) {
  const both = Math.floor(word / 2);
  return {
    named: word % 2 === 1,
    criticality: both % CRITICALITY_PLACES,
    tenantIndex: Math.floor(both / CRITICALITY_PLACES),
  };
}
