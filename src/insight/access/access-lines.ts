import type { Clock } from '../../core/index.js';
import { AccessFigures } from './access-figures.js';
import type { AccessFormat } from './access-format.js';
import { type AccessRecord, isAnswered } from './access-record.js';

/** How long a record waits for others. */
const WAIT_NS = 100e6;
/** Lines made in one turn of the event loop: some tenths of a millisecond. */
const LINES_A_TURN = 128;

export interface AccessLinesOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly format: AccessFormat;
  /** Part of the requests that is written, 0 to 1; those that failed are written in any case. */
  readonly fraction: number;
  /** Records that wait to be made lines, and lines that the writer has not taken, at most; those beyond are dropped. */
  readonly maxPending: number;
  /** Where it counts. */
  readonly figures: SharedArrayBuffer;
  /** Hands lines to who writes them. */
  readonly post: (text: string, lines: number) => void;
  /** Calls back in a later turn. */
  readonly later: (act: () => void) => void;
}

/** The access log of one thread: a record is kept while its request is answered, and becomes a line later, with others. */
export class AccessLines {
  readonly #options: AccessLinesOptions;
  readonly #figures: AccessFigures;
  #records: AccessRecord[] = [];
  #next = 0;
  /** Lines that the writer has not taken. */
  #posted = 0;
  #awake = false;

  constructor(options: AccessLinesOptions) {
    this.#options = options;
    this.#figures = new AccessFigures(options.figures);
  }

  add(record: AccessRecord): void {
    const { clock, random, fraction, maxPending } = this.#options;
    if (fraction < 1 && isAnswered(record) && random() >= fraction) return;
    if (this.#records.length - this.#next + this.#posted >= maxPending) {
      this.#figures.dropped('busy', 1);
      return;
    }
    this.#records.push(record);
    if (this.#awake) return;
    this.#awake = true;
    clock.setTimer(clock.nowNs() + WAIT_NS, () => this.#turn());
  }

  /** The writer has taken so many. */
  taken(lines: number): void {
    this.#posted -= lines;
  }

  /** Makes lines of all there is, now: when requests are over. */
  flush(): void {
    while (this.#next < this.#records.length) this.#write();
    this.#records = [];
    this.#next = 0;
  }

  #turn(): void {
    this.#write();
    if (this.#next < this.#records.length) {
      this.#options.later(() => this.#turn());
      return;
    }
    this.#records = [];
    this.#next = 0;
    this.#awake = false;
  }

  #write(): void {
    const { format, post } = this.#options;
    const end = Math.min(this.#next + LINES_A_TURN, this.#records.length);
    const lines = end - this.#next;
    if (lines === 0) return;
    let text = '';
    for (; this.#next < end; this.#next++) text += format(this.#records[this.#next] as AccessRecord);
    this.#posted += lines;
    post(text, lines);
  }
}
