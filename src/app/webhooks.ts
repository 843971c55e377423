import type { ServerConfig } from '../config/index.js';
import type { Clock, ClockTimer, Letter, LetterStore, Log, RolloutFigures } from '../core/index.js';
import type { RolloutNotice, RolloutNotices } from '../delivery/index.js';
import { type CloudEvent, cloudEvent } from './cloud-event.js';
import { readSecret, signedHeaders } from './webhook-signature.js';

/** What became of the notices of one webhook: `failed` after all tries or for good, `dropped` as too many waited. */
type WebhookFigures = RolloutFigures['webhooks'][number];

export interface WebhooksOptions {
  readonly hooks: ServerConfig['webhooks'];
  readonly clock: Clock;
  readonly log: Log;
  /** Where letters wait that were not delivered when the process ended. */
  readonly store: LetterStore;
  /** Replaces the network in tests. */
  readonly send?: typeof fetch;
}

/** Notices of one webhook that may wait. */
const MOST_WAITING = 256;
/** Waits before each try after the first, in milliseconds. */
const BACKOFF_MS = [1000, 2000, 4000, 8000, 16_000, 32_000];
const TRY_MS = 10_000;
/** Answers of 400 to 499 that another try may get better ones than. */
const PASSING = [408, 425, 429];

/** Tells webhooks of the moves of rollouts and SLOs, and of budgets: signed CloudEvents, one after another for each, never in anyone's way. */
export class Webhooks implements RolloutNotices {
  readonly #hooks: ReadonlyMap<string, Webhook>;
  readonly #store: LetterStore;
  readonly #log: Log;

  /** Throws MALFORMED_REQUEST where a secret cannot be read. */
  constructor({ hooks, store, ...around }: WebhooksOptions) {
    this.#store = store;
    this.#log = around.log;
    const settled = (webhook: string, id: string) => this.#attempt(() => store.forget(webhook, id));
    this.#hooks = new Map(hooks.map((hook) => [hook.name, new Webhook({ ...hook, ...around, settled })]));
  }

  /**
   * Begins to send: first what waited when the process ended last, then what was told since. Letters to webhooks that there are
   * not any more are dropped. Before this nothing is sent.
   */
  resume(): void {
    const letters = this.#store.letters();
    for (const { webhook, id } of letters) {
      if (this.#hooks.has(webhook)) continue;
      this.#log.warn('a notice that waited is dropped', { webhook, id });
      this.#attempt(() => this.#store.forget(webhook, id));
    }
    for (const [name, hook] of this.#hooks) hook.begin(letters.filter(({ webhook }) => webhook === name));
  }

  get names(): readonly string[] {
    return [...this.#hooks.keys()];
  }

  tell(notice: RolloutNotice, to: readonly string[] | undefined): void {
    if (this.#hooks.size > 0) this.send(cloudEvent(notice), to);
  }

  /** To the webhooks of these names, or to all; names that there are not are passed over. */
  send(event: CloudEvent, to: readonly string[] | undefined): void {
    const { id } = event;
    const body = JSON.stringify(event);
    for (const webhook of to ?? this.names) {
      const letter = { webhook, id, body };
      // Kept before anything of it is awaited.
      if (this.#hooks.get(webhook)?.take(letter) === true) this.#attempt(() => this.#store.keep(letter));
    }
  }

  figures(): readonly WebhookFigures[] {
    return [...this.#hooks.values()].map((hook) => hook.figures());
  }

  /** What cannot be kept is sent all the same. */
  #attempt(change: () => void): void {
    try {
      change();
    } catch (cause) {
      this.#log.error('letters to webhooks cannot be kept over a restart', { cause });
    }
  }

  /** Sends nothing any more. */
  close(): void {
    for (const hook of this.#hooks.values()) hook.close();
  }
}

interface WebhookParts {
  readonly name: string;
  readonly url: string;
  readonly secretFile?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly send?: typeof fetch;
  /** A letter was delivered, or given up. */
  readonly settled: (webhook: string, id: string) => void;
}

class Webhook {
  readonly #parts: WebhookParts;
  readonly #secret: Buffer | undefined;
  #waiting: Letter[] = [];
  readonly #closed = new AbortController();
  readonly #counts = { delivered: 0, failed: 0, dropped: 0 };
  #begun = false;
  #busy = false;
  #timer: ClockTimer | undefined;

  constructor(parts: WebhookParts) {
    this.#parts = parts;
    this.#secret = parts.secretFile === undefined ? undefined : readSecret(parts.secretFile);
  }

  /** `kept`: what is known to wait, among it what was taken until now, unless that could not be kept. */
  begin(kept: readonly Letter[]): void {
    const unkept = this.#waiting.filter(({ id }) => !kept.some((letter) => letter.id === id));
    this.#waiting = [...kept, ...unkept];
    this.#begun = true;
    this.#next();
  }

  /** False: too many wait, it is dropped. */
  take(letter: Letter): boolean {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#counts.dropped++;
      return false;
    }
    this.#waiting.push(letter);
    this.#next();
    return true;
  }

  figures(): WebhookFigures {
    return { name: this.#parts.name, ...this.#counts, waiting: this.#waiting.length };
  }

  close(): void {
    this.#closed.abort();
    this.#timer?.clear();
  }

  #next(): void {
    const [letter] = this.#waiting;
    if (!this.#begun || this.#busy || letter === undefined || this.#closed.signal.aborted) return;
    this.#busy = true;
    void this.#deliver(letter, 0);
  }

  /** Never rejects. */
  async #deliver(letter: Letter, attempt: number): Promise<void> {
    const outcome = await this.#try(letter);
    if (this.#closed.signal.aborted) return;
    const waitMs = BACKOFF_MS[attempt];
    if (outcome === 'again' && waitMs !== undefined) {
      const { clock } = this.#parts;
      this.#timer = clock.setTimer(clock.nowNs() + waitMs * 1e6, () => void this.#deliver(letter, attempt + 1));
      return;
    }
    this.#counts[outcome === 'delivered' ? 'delivered' : 'failed']++;
    this.#waiting.shift();
    this.#parts.settled(letter.webhook, letter.id);
    this.#busy = false;
    this.#next();
  }

  async #try({ id, body }: Letter): Promise<'delivered' | 'again' | 'refused'> {
    const { name, url, clock, log, send = fetch } = this.#parts;
    try {
      const reply = await send(url, {
        method: 'POST',
        redirect: 'error',
        headers: {
          'content-type': 'application/cloudevents+json; charset=utf-8',
          ...(this.#secret === undefined ? {} : signedHeaders(this.#secret, id, clock.wallMs(), body)),
        },
        body,
        signal: AbortSignal.any([AbortSignal.timeout(TRY_MS), this.#closed.signal]),
      });
      // Nobody reads the answer: without this its connection would wait for a reader.
      await reply.body?.cancel();
      if (reply.ok) return 'delivered';
      log.warn('a webhook did not take a notice', { webhook: name, status: reply.status });
      const forGood = reply.status >= 400 && reply.status < 500 && !PASSING.includes(reply.status);
      return forGood ? 'refused' : 'again';
    } catch (thrown) {
      const why = (thrown as { cause?: { code?: string } }).cause?.code ?? (thrown as Error).name;
      if (!this.#closed.signal.aborted) log.warn('a webhook cannot be reached', { webhook: name, why });
      return 'again';
    }
  }
}
