import { FRAME_HEAD_BYTES, frameOf } from './framing/frame.js';
import { compressAnswer, type MessageEncoding } from './framing/message-encoding.js';

interface Place {
  /** Undefined until it is compressed. */
  frame: Buffer | undefined;
  readonly flushed: () => void;
}

/** The frames of one request with several responses: written in order, also where compressing takes some longer than others. */
export class StreamedAnswer {
  readonly #encoding: MessageEncoding | undefined;
  readonly #write: (frame: Buffer, flushed: () => void) => void;
  #waiting: Place[] = [];
  #then: (() => void) | undefined;

  constructor(encoding: MessageEncoding | undefined, write: (frame: Buffer, flushed: () => void) => void) {
    this.#encoding = encoding;
    this.#write = write;
  }

  /** A sealed frame that is not compressed yet; `flushed` is called when the socket has taken it. */
  push(frame: Buffer, flushed: () => void): void {
    if (this.#encoding === undefined) {
      this.#write(frame, flushed);
      return;
    }
    const place: Place = { frame: undefined, flushed };
    this.#waiting.push(place);
    compressAnswer(this.#encoding, frame.subarray(FRAME_HEAD_BYTES), (compressed) => {
      place.frame = compressed === undefined ? frame : frameOf(compressed, true);
      this.#go();
    });
  }

  /** Calls `then` when all that was pushed is written. */
  end(then: () => void): void {
    if (this.#waiting.length === 0) then();
    else this.#then = then;
  }

  #go(): void {
    for (let frame = this.#waiting[0]?.frame; frame !== undefined; frame = this.#waiting[0]?.frame)
      this.#write(frame, (this.#waiting.shift() as Place).flushed);
    if (this.#waiting.length > 0) return;
    const then = this.#then;
    this.#then = undefined;
    then?.();
  }
}
