import { clientError, type PenstockError } from './client-error.js';
import type { InferAnswer } from './protocol.js';
import { randomId } from './random-id.js';
import { TimeLimit } from './time-limit.js';

export interface InFlightOptions {
  /** Requests sent and not answered; default 64, as many as a gateway takes of a WebSocket. */
  readonly maxInFlight?: number;
  /** Requests that wait to be sent; one more is refused with `TOO_MANY_WAITING`. Default 1024. */
  readonly maxWaiting?: number;
}

interface Entry<Message> {
  readonly id: string;
  readonly message: Message;
  readonly limit: TimeLimit;
  readonly resolve: (answer: InferAnswer) => void;
  readonly reject: (error: PenstockError) => void;
}

/**
 * The requests of one connection: as many as it may have in flight are sent, the others wait in the order they came. Every
 * request settles once: by its answer, its time limit, its signal, or the end of the connection.
 */
export class InFlight<Message> {
  readonly #send: (id: string, message: Message) => void;
  readonly #maxInFlight: number;
  readonly #maxWaiting: number;
  /** By id; undefined: nobody waits for it any more, yet the server has it until it answers. */
  readonly #sent = new Map<string, Entry<Message> | undefined>();
  readonly #waiting = new Map<string, Entry<Message>>();
  readonly #prefix = randomId().toString(36);
  #count = 0;
  #open = false;
  #onIdle: (() => void) | undefined;

  constructor(options: InFlightOptions, send: (id: string, message: Message) => void) {
    this.#send = send;
    this.#maxInFlight = options.maxInFlight ?? 64;
    this.#maxWaiting = options.maxWaiting ?? 1024;
  }

  /** Requests that were sent and are not answered. */
  get sent(): number {
    return this.#sent.size;
  }

  /** Requests that were not sent yet. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** An id that no other request has. */
  newId(): string {
    this.#count++;
    return `${this.#prefix}-${this.#count}`;
  }

  /** Sends a request when its turn comes; resolves to its answer. */
  async add(
    id: string,
    message: Message,
    { timeoutMs = 0, signal }: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<InferAnswer> {
    if (this.#sent.has(id) || this.#waiting.has(id))
      throw clientError('BAD_REQUEST', `the id '${id}' is in flight on this stream already`);
    if (this.#waiting.size >= this.#maxWaiting)
      throw clientError('TOO_MANY_WAITING', `${this.#waiting.size} requests wait for this stream already`);
    const limit = new TimeLimit(timeoutMs, signal);
    try {
      return await new Promise<InferAnswer>((resolve, reject) => {
        this.#waiting.set(id, { id, message, limit, resolve, reject });
        limit.signal.addEventListener('abort', () => this.failed(id, limit.signal.reason as PenstockError));
        this.#next();
      });
    } finally {
      limit.end();
    }
  }

  /** Whether requests can be sent. */
  set open(open: boolean) {
    this.#open = open;
    this.#next();
  }

  /** The answer to a request that was sent. */
  answered(id: string, outcome: InferAnswer | PenstockError): void {
    const entry = this.#sent.get(id);
    this.#sent.delete(id);
    if (entry !== undefined) {
      if (outcome instanceof Error) entry.reject(outcome);
      else entry.resolve(outcome);
    }
    this.#next();
  }

  /** A request fails before its answer has come as a whole: it keeps its place until then. */
  failed(id: string, error: PenstockError): void {
    const entry = this.#waiting.get(id) ?? this.#sent.get(id);
    if (this.#sent.has(id)) this.#sent.set(id, undefined);
    this.#waiting.delete(id);
    entry?.reject(error);
    this.#tellIdle();
  }

  /** The connection is gone: what was sent fails, for nobody knows what became of it. What waits goes on waiting. */
  lost(error: PenstockError): void {
    this.#open = false;
    const lost = [...this.#sent.values()];
    this.#sent.clear();
    for (const entry of lost) entry?.reject(error);
    this.#tellIdle();
  }

  /** No connection will come: everything fails. */
  stop(error: PenstockError): void {
    this.lost(error);
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const entry of waiting) entry.reject(error);
    this.#tellIdle();
  }

  /** Resolves when nothing is in flight or waits. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle = resolve;
      this.#tellIdle();
    });
  }

  #next(): void {
    for (const [id, entry] of this.#waiting) {
      if (!this.#open || this.#sent.size >= this.#maxInFlight) break;
      this.#waiting.delete(id);
      this.#sent.set(id, entry);
      this.#send(id, entry.message);
    }
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#sent.size === 0 && this.#waiting.size === 0) this.#onIdle?.();
  }
}
