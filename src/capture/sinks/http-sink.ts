import type { StoredRow } from '../captured-row.js';
import {
  binaryHeaders,
  type EventSettings,
  eventsOf,
  type InferenceEvent,
  structuredText,
} from './inference-events.js';
import { RowQueue } from './row-queue.js';
import { backoffMs, type Sink, type SinkReport, type SinkTime } from './sink.js';

export interface HttpSettings extends EventSettings {
  readonly kind: 'http';
  readonly name: string;
  readonly url: string;
  /** One event a call, its attributes in headers; one in JSON; or those of many rows in a JSON array. */
  readonly mode: 'binary' | 'structured' | 'batched';
  /** Sent as `authorization: Bearer`; undefined: nothing is. */
  readonly token: string | undefined;
  readonly timeoutMs: number;
  /** After the first try. */
  readonly retries: number;
  /** Calls at once. */
  readonly maxInFlight: number;
  readonly batchRows: number;
  readonly maxQueueBytes: number;
}

/** Answers of 400 to 499 that another try may get better ones than. */
const PASSING = [408, 425, 429];
const BATCH_BYTES = 1024 * 1024;
/** A batch waits so long for more rows. */
const GATHER_MS = 100;

interface Call {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Outcome = { readonly kind: 'delivered' } | { readonly kind: 'again' | 'refused'; readonly why: string };

/** Sends rows as CloudEvents over HTTP, several calls at once; each is tried again for a while, and given up then. */
export class HttpSink implements Sink {
  readonly #settings: HttpSettings;
  readonly #time: SinkTime;
  readonly #report: SinkReport;
  readonly #queue: RowQueue;
  readonly #aborted = new AbortController();
  readonly #waits = new Set<() => void>();
  #underWay = 0;
  #gathering: (() => void) | undefined;
  #closing = false;
  #idle: () => void = () => {};

  constructor(settings: HttpSettings, time: SinkTime, report: SinkReport) {
    this.#settings = settings;
    this.#time = time;
    this.#report = report;
    this.#queue = new RowQueue(settings.maxQueueBytes, report);
  }

  add(row: StoredRow): void {
    if (!this.#queue.add(row)) return;
    const { mode, batchRows } = this.#settings;
    if (mode !== 'batched' || this.#queue.waiting >= batchRows) this.#next();
    else
      this.#gathering ??= this.#time.after(GATHER_MS, () => {
        this.#gathering = undefined;
        this.#next();
      });
  }

  async close(limitMs: number): Promise<void> {
    this.#closing = true;
    this.#gathering?.();
    this.#next();
    if (this.#underWay > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      const forget = this.#time.after(limitMs, () => this.#giveUp());
      await idle;
      forget();
    }
    const left = this.#queue.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    if (left.length > 0) this.#report.dropped(left.length, 'closed');
    this.#queue.settled(left);
  }

  #giveUp(): void {
    this.#aborted.abort();
    for (const wake of this.#waits) wake();
  }

  #next(): void {
    const { mode, batchRows, maxInFlight } = this.#settings;
    while (this.#underWay < maxInFlight && this.#queue.waiting > 0 && !this.#aborted.signal.aborted) {
      const rows = this.#queue.take(mode === 'batched' ? batchRows : 1, BATCH_BYTES);
      this.#underWay++;
      void this.#deliver(rows).finally(() => {
        this.#queue.settled(rows);
        this.#underWay--;
        this.#next();
        if (this.#closing && this.#underWay === 0) this.#idle();
      });
    }
  }

  /** Never rejects. */
  async #deliver(rows: readonly StoredRow[]): Promise<void> {
    const events = rows.flatMap((row) => eventsOf(row, this.#settings));
    let bytes = 0;
    for (const call of this.#calls(events)) {
      const outcome = await this.#insist(call);
      if (outcome.kind !== 'delivered') {
        const reason = this.#aborted.signal.aborted ? 'closed' : outcome.kind === 'refused' ? 'refused' : 'failed';
        this.#report.dropped(rows.length, reason, outcome.why);
        return;
      }
      bytes += Buffer.byteLength(call.body);
    }
    this.#report.delivered(rows.length, bytes);
  }

  #calls(events: readonly InferenceEvent[]): Call[] {
    const { mode } = this.#settings;
    if (mode === 'binary') return events.map((event) => ({ headers: binaryHeaders(event), body: event.data }));
    const type = mode === 'batched' ? 'application/cloudevents-batch+json' : 'application/cloudevents+json';
    const headers = { 'content-type': `${type}; charset=utf-8` };
    if (mode === 'batched') return [{ headers, body: `[${events.map(structuredText).join(',')}]` }];
    return events.map((event) => ({ headers, body: structuredText(event) }));
  }

  async #insist(call: Call): Promise<Outcome> {
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#try(call);
      if (outcome.kind !== 'again' || attempt === this.#settings.retries || this.#aborted.signal.aborted)
        return outcome;
      this.#report.retried();
      await this.#wait(backoffMs(attempt, Math.random()));
      if (this.#aborted.signal.aborted) return outcome;
    }
  }

  async #try({ headers, body }: Call): Promise<Outcome> {
    const { url, token, timeoutMs } = this.#settings;
    try {
      const reply = await fetch(url, {
        method: 'POST',
        redirect: 'error',
        headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
        body,
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), this.#aborted.signal]),
      });
      // Nobody reads the answer: without this its connection would wait for a reader.
      await reply.body?.cancel();
      if (reply.ok) return { kind: 'delivered' };
      const forGood = reply.status >= 400 && reply.status < 500 && !PASSING.includes(reply.status);
      return { kind: forGood ? 'refused' : 'again', why: `status ${reply.status}` };
    } catch (thrown) {
      const { name, cause } = thrown as { name: string; cause?: { code?: string } };
      return { kind: 'again', why: cause?.code ?? name };
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        forget();
        this.#waits.delete(wake);
        resolve();
      };
      const forget = this.#time.after(ms, wake);
      this.#waits.add(wake);
    });
  }
}
