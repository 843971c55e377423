import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { destination as openDestination } from 'pino';
import type { Clock, ClockTimer } from '../../core/index.js';

/** Text that waits for a destination that takes nothing; what comes beyond is dropped. */
const MOST_BUFFERED_BYTES = 8 * 2 ** 20;
/** How often it is looked whether the file was moved away. */
const LOOK_NS = 1e9;
/** How long the end of the process waits for the last lines. */
const LAST_NS = 1e9;

export interface AccessWriterOptions {
  /** `stdout`, `stderr`, or a file's path: appended to, made where it is not there; its folder must be. */
  readonly destination: string;
  readonly clock: Clock;
  readonly dropped: (lines: number) => void;
  /** Told why lines cannot be written. */
  readonly failed: (cause: unknown) => void;
}

/**
 * Writes lines in bunches, without waiting. A file that was moved or removed (logrotate) is made anew within a second: no signal is
 * needed. Throws where the file cannot be opened.
 */
export class AccessWriter {
  readonly #options: AccessWriterOptions;
  readonly #stream: ReturnType<typeof openDestination>;
  readonly #file: string | undefined;
  #written = 0;
  #lookedNs = 0;

  constructor(options: AccessWriterOptions) {
    this.#options = options;
    const { destination, dropped, failed } = options;
    const fixed = destination === 'stdout' ? 1 : destination === 'stderr' ? 2 : undefined;
    this.#file = fixed === undefined ? destination : undefined;
    if (fixed === undefined) closeSync(openSync(destination, 'a'));
    // As in `log.ts`: with a least length of 0 a flush tells its end before it has come.
    this.#stream = openDestination({
      dest: fixed ?? destination,
      sync: false,
      minLength: 1,
      maxLength: MOST_BUFFERED_BYTES,
    });
    this.#stream.on('drop', (text: string) => dropped(linesIn(text)));
    this.#stream.on('error', failed);
  }

  /** Lines that were handed to the destination. */
  get written(): number {
    return this.#written;
  }

  write(text: string, lines: number): void {
    this.#look();
    this.#written += lines;
    this.#stream.write(text);
  }

  /** Resolves when what was written has left, or after a second: a pipe that nobody reads must not hold the end of the process. */
  close(): Promise<void> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const timer: ClockTimer = clock.setTimer(clock.nowNs() + LAST_NS, resolve);
      this.#stream.flush(() => {
        timer.clear();
        resolve();
      });
    });
  }

  #look(): void {
    const nowNs = this.#options.clock.nowNs();
    if (this.#file === undefined || nowNs - this.#lookedNs < LOOK_NS) return;
    this.#lookedNs = nowNs;
    const there = statSync(this.#file, { throwIfNoEntry: false });
    const { fd } = this.#stream as unknown as { readonly fd: number };
    // Below 0 it is just being opened.
    if (fd < 0) return;
    if (there === undefined || there.ino !== fstatSync(fd).ino) this.#stream.reopen(this.#file);
  }
}

function linesIn(text: string): number {
  return text.split('\n').length - 1;
}
