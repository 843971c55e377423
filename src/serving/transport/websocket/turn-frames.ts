import type { ByteCopy, Lease } from '../../../core/index.js';
import type { OutgoingFrame, ReplyRoom } from '../../codec/index.js';
import { AT_ONCE_BYTES, type ReplyMemory } from '../reply-memory.js';
import type { WebSocket } from '../uws/uws-types.js';

/** Of small answers that wait for the end of a turn, over all connections of a server. */
const BLOCK_BYTES = 8 * AT_ONCE_BYTES;

/** Frames compressed where the client can inflate them: below it is no gain, above the socket's thread would stand still. */
const COMPRESSED_FROM_BYTES = 1024;
const COMPRESSED_TO_BYTES = 1024 * 1024;

/**
 * Where one server's frames are encoded. Answers of one turn to one connection leave together, in one system call: a batch often
 * answers many of a client's requests. So small frames lie side by side here until the turn ends, or the block is full.
 */
export class TurnFrames implements ReplyRoom {
  readonly copy: ByteCopy;
  readonly #replies: ReplyMemory;
  readonly #block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  readonly #flush = () => this.flush();
  #filledBytes = 0;
  #queues: FrameQueue[] = [];

  constructor(replies: ReplyMemory) {
    this.copy = replies.copy;
    this.#replies = replies;
  }

  /** Room for the next frame. One at a time: up to `AT_ONCE_BYTES` it stays until the frame is sent. */
  place(bytes: number): Buffer {
    if (bytes > AT_ONCE_BYTES) return this.#replies.place(bytes);
    if (this.#filledBytes + bytes > BLOCK_BYTES) this.flush();
    // Frames that did not wait have left.
    else if (this.#queues.length === 0) this.#filledBytes = 0;
    const start = this.#filledBytes;
    this.#filledBytes += bytes;
    return this.#block.subarray(start, this.#filledBytes);
  }

  /** What the last place lies in, as `ReplyMemory` says; undefined for small frames. */
  takeLease(): Lease | undefined {
    return this.#replies.takeLease();
  }

  /** Has `flush` called on a queue when the turn ends, or earlier. */
  add(queue: FrameQueue): void {
    if (this.#queues.length === 0) queueMicrotask(this.#flush);
    this.#queues.push(queue);
  }

  /** Sends what waits. */
  flush(): void {
    const queues = this.#queues;
    this.#queues = [];
    this.#filledBytes = 0;
    for (const queue of queues) queue.flush();
  }
}

/** The frames of one connection on their way out, in order. */
export class FrameQueue {
  readonly #socket: Pick<WebSocket<unknown>, 'send' | 'cork'>;
  readonly #turn: TurnFrames;
  readonly #compression: boolean;
  #frames: OutgoingFrame[] = [];

  /** `compression`: whether the client may have agreed to permessage-deflate. */
  constructor(socket: Pick<WebSocket<unknown>, 'send' | 'cork'>, turn: TurnFrames, compression: boolean) {
    this.#socket = socket;
    this.#turn = turn;
    this.#compression = compression;
  }

  /**
   * Sends a frame; where it `mayWait` (small ones only), at the latest when the turn ends: its bytes stay as they are until then. A
   * client that reads too slowly is closed by the library at the backlog's bound, and told nothing more.
   */
  send(frame: OutgoingFrame, mayWait: boolean): void {
    if (mayWait) {
      if (this.#frames.length === 0) this.#turn.add(this);
      this.#frames.push(frame);
    } else if (this.#frames.length === 0) this.#send(frame);
    else {
      this.#frames.push(frame);
      this.flush();
    }
  }

  /** Sends what waits. */
  flush(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    this.#frames = [];
    if (frames.length === 1) this.#send(frames[0] as OutgoingFrame);
    else
      this.#socket.cork(() => {
        for (const frame of frames) this.#send(frame);
      });
  }

  /** The socket is gone, and what waits with it. */
  drop(): void {
    this.#frames = [];
  }

  /** The library has sent or copied the bytes when this returns. */
  #send({ data, binary }: OutgoingFrame): void {
    const { byteLength } = data;
    const compress = this.#compression && byteLength >= COMPRESSED_FROM_BYTES && byteLength <= COMPRESSED_TO_BYTES;
    this.#socket.send(data, binary, compress);
  }
}
