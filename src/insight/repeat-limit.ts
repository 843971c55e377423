const WINDOW_MS = 10_000;
/** Lines of one message in one window; what comes after is counted. */
const LINES_A_WINDOW = 20;
/** Messages are fixed texts, so there are few; a text that varies must not fill the memory. */
const MOST_MESSAGES = 1000;

interface Window {
  readonly report: (suppressed: number) => void;
  lines: number;
  timer: NodeJS.Timeout;
}

/**
 * Lets the first lines of a message through and counts the rest; when the window ends, `report` is told how many there
 * were. A peer that sends a million bad requests gets twenty lines and a number.
 */
export class RepeatLimit {
  readonly #windows = new Map<string, Window>();

  /** Whether a line of this message may be written now. */
  allows(message: string, report: (suppressed: number) => void): boolean {
    const window = this.#windows.get(message);
    if (window !== undefined) {
      window.lines++;
      return window.lines <= LINES_A_WINDOW;
    }
    if (this.#windows.size >= MOST_MESSAGES) return true;
    const timer = setTimeout(() => this.#end(message), WINDOW_MS);
    timer.unref();
    this.#windows.set(message, { report, lines: 1, timer });
    return true;
  }

  /** Ends every window now and reports what it held back. */
  flush(): void {
    for (const message of [...this.#windows.keys()]) this.#end(message);
  }

  #end(message: string): void {
    const window = this.#windows.get(message);
    if (window === undefined) return;
    clearTimeout(window.timer);
    this.#windows.delete(message);
    if (window.lines > LINES_A_WINDOW) window.report(window.lines - LINES_A_WINDOW);
  }
}
