import type { KafkaConfig, Message, Producer } from 'kafkajs';
import type { StoredRow } from '../captured-row.js';
import { type EventSettings, eventsOf, kafkaHeaders, structuredText } from './inference-events.js';
import { RowQueue } from './row-queue.js';
import { backoffMs, type Sink, type SinkReport, type SinkTime, timeLimit } from './sink.js';

export interface KafkaSettings extends EventSettings {
  readonly kind: 'kafka';
  readonly name: string;
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly topic: string;
  readonly mode: 'binary' | 'structured';
  readonly acks: 'all' | 'leader' | 'none';
  readonly compression: 'none' | 'gzip';
  /** PEM texts; undefined: no TLS. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
  readonly sasl:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
        readonly username: string;
        readonly password: string;
      }
    | undefined;
  readonly timeoutMs: number;
  /** After the first try. */
  readonly retries: number;
  readonly batchRows: number;
  readonly maxQueueBytes: number;
}

/** Of one batch; brokers take a megabyte by default. */
const BATCH_BYTES = 512 * 1024;
/** A batch waits so long for more rows. */
const GATHER_MS = 100;
const ACKS = { all: -1, leader: 1, none: 0 } as const;

/** Writes rows to a topic as CloudEvents (Kafka binding), batch after batch, keyed by the id of the request. */
export class KafkaSink implements Sink {
  readonly #settings: KafkaSettings;
  readonly #time: SinkTime;
  readonly #report: SinkReport;
  readonly #queue: RowQueue;
  #producer: Promise<Producer> | undefined;
  #gathering: (() => void) | undefined;
  #sending: Promise<void> | undefined;
  #wake: () => void = () => {};
  #givenUp = false;

  constructor(settings: KafkaSettings, time: SinkTime, report: SinkReport) {
    this.#settings = settings;
    this.#time = time;
    this.#report = report;
    this.#queue = new RowQueue(settings.maxQueueBytes, report);
  }

  add(row: StoredRow): void {
    if (!this.#queue.add(row) || this.#sending !== undefined) return;
    if (this.#queue.waiting >= this.#settings.batchRows) this.#begin();
    else this.#gathering ??= this.#time.after(GATHER_MS, () => this.#begin());
  }

  async close(limitMs: number): Promise<void> {
    this.#begin();
    const { late, forget } = timeLimit(this.#time, limitMs);
    await Promise.race([this.#sending ?? Promise.resolve(), late]);
    this.#givenUp = true;
    this.#wake();
    // A producer that cannot reach its brokers takes its own time to end.
    await Promise.race([this.#disconnect(), late]);
    forget();
    const left = this.#queue.take(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    if (left.length > 0) this.#report.dropped(left.length, 'closed');
    this.#queue.settled(left);
  }

  #begin(): void {
    this.#gathering?.();
    this.#gathering = undefined;
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined;
      if (this.#queue.waiting > 0 && !this.#givenUp) this.#begin();
    });
  }

  /** Never rejects. */
  async #send(): Promise<void> {
    while (this.#queue.waiting > 0 && !this.#givenUp) {
      const rows = this.#queue.take(this.#settings.batchRows, BATCH_BYTES);
      await this.#deliver(rows);
      this.#queue.settled(rows);
    }
  }

  async #deliver(rows: readonly StoredRow[]): Promise<void> {
    const messages = rows.flatMap((row) => this.#messages(row));
    for (let attempt = 0; ; attempt++) {
      const why = await this.#try(messages);
      if (why === undefined) {
        const bytes = messages.reduce((sum, { value }) => sum + Buffer.byteLength(value as string), 0);
        this.#report.delivered(rows.length, bytes);
        return;
      }
      if (attempt >= this.#settings.retries || this.#givenUp) {
        this.#report.dropped(rows.length, this.#givenUp ? 'closed' : 'failed', why);
        return;
      }
      this.#report.retried();
      await new Promise<void>((resolve) => {
        const forget = this.#time.after(backoffMs(attempt, Math.random()), resolve);
        this.#wake = () => {
          forget();
          resolve();
        };
      });
    }
  }

  /** Undefined: the brokers have it. */
  async #try(messages: Message[]): Promise<string | undefined> {
    const { topic, acks, compression, timeoutMs } = this.#settings;
    try {
      const { CompressionTypes } = (await import('kafkajs')).default;
      const producer = await this.#connected();
      const type = compression === 'gzip' ? CompressionTypes.GZIP : CompressionTypes.None;
      await producer.send({ topic, messages, acks: ACKS[acks], timeout: timeoutMs, compression: type });
      return undefined;
    } catch (thrown) {
      // One that failed does not find its way back by itself.
      void this.#disconnect();
      const { name, message } = thrown as Error;
      return `${name}: ${message}`;
    }
  }

  #connected(): Promise<Producer> {
    this.#producer ??= this.#connect();
    return this.#producer;
  }

  async #connect(): Promise<Producer> {
    const { Kafka, logLevel } = (await import('kafkajs')).default;
    const { brokers, clientId, tls, sasl, timeoutMs } = this.#settings;
    const config: KafkaConfig = {
      brokers: [...brokers],
      clientId,
      connectionTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      // Tries are counted here, so that they are told of.
      retry: { retries: 0 },
      logLevel: logLevel.NOTHING,
      ...(tls === undefined ? {} : { ssl: Object.keys(tls).length === 0 ? true : { ...tls } }),
      ...(sasl === undefined ? {} : { sasl: sasl as NonNullable<KafkaConfig['sasl']> }),
    };
    const producer = new Kafka(config).producer({ allowAutoTopicCreation: false, retry: { retries: 0 } });
    await producer.connect();
    return producer;
  }

  async #disconnect(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    try {
      await (await producer)?.disconnect();
    } catch {
      // It was not connected.
    }
  }

  #messages(row: StoredRow): Message[] {
    const { mode } = this.#settings;
    return eventsOf(row, this.#settings).map((event) => ({
      key: event.attributes.id as string,
      timestamp: String(row.atMs),
      ...(mode === 'binary'
        ? { headers: kafkaHeaders(event), value: event.data }
        : { headers: { 'content-type': 'application/cloudevents+json' }, value: structuredText(event) }),
    }));
  }
}
