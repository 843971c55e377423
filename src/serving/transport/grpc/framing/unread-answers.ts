import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../../../../core/index.js';

/** Answers below this are not watched: the calls of a connection hold few megabytes of them together. */
const WATCHED_FROM_BYTES = 16 * 1024;

/** A client that reads slower than this for as long is as one that does not read. */
const SLOWEST_BYTES_PER_MS = 64;

/** Where the bytes of answers are counted, so that new requests are refused while too many wait. */
export interface AnswerBudget {
  count(bytes: number): void;
  release(bytes: number): void;
}

/**
 * Large answers that clients have not read yet. A client decides alone how fast it reads (its HTTP/2 window may stay shut for
 * ever, while it answers pings): what waits for it is counted, and its call is reset after a time.
 */
export class UnreadAnswers {
  readonly #clock: Clock;
  readonly #budget: AnswerBudget;
  readonly #timeoutMs: number;

  /** `timeoutMs`: 0 = never. */
  constructor(clock: Clock, budget: AnswerBudget, timeoutMs: number) {
    this.#clock = clock;
    this.#budget = budget;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Counts an answer that was just written to `stream`, until the returned function is called or the stream has closed.
   * Resets the stream where that takes longer than the time-out and a millisecond for each 64 bytes.
   */
  watch(stream: ServerHttp2Stream, bytes: number): () => void {
    if (bytes < WATCHED_FROM_BYTES) return nothing;
    this.#budget.count(bytes);
    const timer =
      this.#timeoutMs === 0
        ? undefined
        : this.#clock.setTimer(this.#clock.nowNs() + (this.#timeoutMs + bytes / SLOWEST_BYTES_PER_MS) * 1e6, () =>
            stream.close(constants.NGHTTP2_CANCEL),
          );
    let read = false;
    const done = () => {
      if (read) return;
      read = true;
      timer?.clear();
      stream.off('close', done);
      this.#budget.release(bytes);
    };
    stream.once('close', done);
    return done;
  }
}

function nothing(): void {}
