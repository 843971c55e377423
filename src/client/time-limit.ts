import { clientError, PenstockError } from './client-error.js';

/** The time and the signal of one call, retries included. `end` must be called when it is over. */
export class TimeLimit {
  readonly #abort = new AbortController();
  readonly #endMs: number;
  readonly #outer: AbortSignal | undefined;
  readonly #onOuter: () => void;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;

  /** `timeoutMs` 0: without limit. Throws `ABORTED` where `signal` is aborted already. */
  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#outer = signal;
    this.#onOuter = () => this.#abort.abort(aborted(signal as AbortSignal));
    if (signal?.aborted === true) throw aborted(signal);
    signal?.addEventListener('abort', this.#onOuter, { once: true });
    this.#endMs = timeoutMs > 0 ? performance.now() + timeoutMs : Number.POSITIVE_INFINITY;
    if (timeoutMs <= 0) return;
    const late = () => this.#abort.abort(clientError('TIMEOUT', `no answer within ${timeoutMs} ms`));
    this.#timer = setTimeout(late, timeoutMs);
  }

  /** Aborted with the `PenstockError` that the call is to fail with. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Milliseconds that are left; infinity without a limit. */
  get leftMs(): number {
    return this.#endMs - performance.now();
  }

  /** What a call failed with: the limit or the signal where that is why, else `thrown` as the breaking of a connection. */
  failure(thrown: unknown, url: string): PenstockError {
    if (this.signal.aborted) return this.signal.reason as PenstockError;
    if (thrown instanceof PenstockError) return thrown;
    const cause = (thrown as { cause?: { code?: string } } | undefined)?.cause?.code ?? String(thrown);
    return clientError('UNREACHABLE', `no answer from ${url} (${cause})`, thrown);
  }

  /** Resolves after `ms`; rejects where the limit or the signal comes first. */
  async pause(ms: number): Promise<void> {
    const { signal } = this;
    await new Promise<void>((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        reject(signal.reason as PenstockError);
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      }, ms);
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
    });
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onOuter);
  }
}

/** The failure of a call whose signal was aborted. */
function aborted(signal: AbortSignal): PenstockError {
  return clientError('ABORTED', 'the call was aborted', signal.reason);
}
