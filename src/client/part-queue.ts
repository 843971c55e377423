import { clientError, type PenstockError } from './client-error.js';

/** Unread bytes and parts with which the sender is asked to wait; with half of them it goes on. */
const PAUSE_BYTES = 1024 * 1024;
const PAUSE_PARTS = 64;
/** Unread bytes that are kept of a sender that cannot wait, as WebSockets of browsers. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;

/** The way back to who sends: both undefined where it cannot be asked to wait. */
export interface PartSource {
  readonly pause?: (() => void) | undefined;
  readonly resume?: (() => void) | undefined;
}

/** What came of an answer and was not taken yet, in bounded memory. Taken once, by one reader. */
export class PartQueue<T> {
  readonly #parts: { readonly part: T; readonly bytes: number }[] = [];
  #source: PartSource = {};
  #paused = false;
  #unreadBytes = 0;
  /** Undefined: more may come. */
  #end: { readonly error: PenstockError | undefined } | undefined;
  #wake: (() => void) | undefined;

  set source(source: PartSource) {
    this.#source = source;
  }

  /** One part that came; `bytes`: of its memory. */
  push(part: T, bytes: number): void {
    if (this.#end !== undefined) return;
    this.#parts.push({ part, bytes });
    this.#unreadBytes += bytes;
    if (this.#parts.length > 1 && this.#unreadBytes > MAX_UNREAD_BYTES) {
      this.stop(clientError('TOO_MUCH_UNREAD', `${this.#unreadBytes} bytes of the answer wait to be read`));
    } else if (this.#fillsBy(1) && !this.#paused) {
      this.#paused = true;
      this.#source.pause?.();
    }
    this.#wake?.();
  }

  /** Nothing more comes, or only this failure: what came before it is still taken. The first end counts. */
  end(error?: PenstockError): void {
    this.#end ??= { error };
    this.#wake?.();
  }

  /** Fails at once: what came is dropped. */
  stop(error: PenstockError): void {
    this.#parts.length = 0;
    this.#end = { error };
    this.#wake?.();
  }

  /** The parts in their order; throws the failure at its place. */
  async *read(): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const next = this.#parts.shift();
      if (next !== undefined) {
        this.#unreadBytes -= next.bytes;
        if (this.#paused && !this.#fillsBy(0.5)) {
          this.#paused = false;
          this.#source.resume?.();
        }
        yield next.part;
      } else if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #fillsBy(share: number): boolean {
    return this.#unreadBytes > PAUSE_BYTES * share || this.#parts.length > PAUSE_PARTS * share;
  }
}
