import type { ClockTimer, RouteMark, ServingError } from '../../../../core/index.js';
import { encodeErrorEvent } from '../../../codec/index.js';
import { FormExchange } from './form-exchange.js';
import type { EncodedAnswer } from './infer-form.js';

/** Without a byte for ten seconds the library closes a connection, and proxies do after a minute. */
const QUIET_NS = 5e9;
/** A comment of server-sent events: clients pass over it. */
const COMMENT = Buffer.from(':\n\n');

/**
 * A call that is answered by server-sent events, each sent when it is there. The status is that of the first: what fails before it is
 * answered as any other call, what fails later by an event. Who computes waits while the client does not read.
 */
export class EventsExchange extends FormExchange {
  #begun = false;
  #sentBytes = 0;
  /** The client has not read what was sent. */
  #behind = false;
  /** What waits for it. */
  #waiting: (() => void)[] = [];
  #ending = false;
  #quiet: ClockTimer | undefined;

  part(answer: EncodedAnswer, taken: () => void): void {
    if (answer.body === undefined || !this.open) return;
    this.#send(answer);
    if (this.#behind) this.#waiting.push(taken);
    else taken();
  }

  override done(answer: EncodedAnswer): void {
    this.release();
    if (!this.open) {
      this.unsent(answer.response);
      return;
    }
    this.#send(answer);
    this.#finish();
  }

  override failed(error: ServingError, mark?: RouteMark): void {
    if (!this.#begun || !this.open) {
      super.failed(error, mark);
      return;
    }
    this.release();
    const shown = this.failedLate(error, mark);
    this.#write(encodeErrorEvent(shown.message));
    this.#finish();
  }

  protected override gone(): void {
    this.#quiet?.clear();
    this.#waiting = [];
    super.gone();
  }

  #send({ response, body, contentType }: EncodedAnswer): void {
    if (!this.#begun) {
      this.#begun = true;
      this.beginPieces(contentType, this.headersOf(response), () => this.#drained());
    }
    if (body !== undefined) this.#write(typeof body === 'string' ? Buffer.from(body) : body);
  }

  #write(bytes: Uint8Array): void {
    this.#sentBytes += bytes.byteLength;
    if (!this.writePiece(bytes)) this.#behind = true;
    this.#quiet?.clear();
    const { clock } = this.server;
    this.#quiet = clock.setTimer(clock.nowNs() + QUIET_NS, () => this.#write(COMMENT));
  }

  #drained(): void {
    this.#behind = false;
    for (const taken of this.#waiting.splice(0)) taken();
    if (this.#ending) this.#finish();
  }

  /** When all has left. */
  #finish(): void {
    this.#ending = true;
    this.#quiet?.clear();
    if (this.#behind) return;
    this.endPieces();
    this.trace?.ended(this.#sentBytes);
  }
}
