import { connect, type Socket } from 'node:net';

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const;

/** One HTTP/2 frame, whatever it holds. */
export function http2Frame(type: number, flags: number, stream: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A setting, for the payload of a SETTINGS frame. */
export function setting(id: number, value: number): Buffer {
  const entry = Buffer.alloc(6);
  entry.writeUInt16BE(id);
  entry.writeUInt32BE(value, 2);
  return entry;
}

/** The header block of a gRPC call, HPACK without an index. */
export function callHeaders(path: string): Buffer {
  const texts = [
    ':method',
    'POST',
    ':scheme',
    'http',
    ':path',
    path,
    ':authority',
    'localhost',
    'content-type',
    'application/grpc',
  ];
  return Buffer.concat(
    texts.map((text, i) => Buffer.concat([Buffer.from(i % 2 ? [text.length] : [0, text.length]), Buffer.from(text)])),
  );
}

export interface Flood {
  /** Sent once, before the rest. */
  readonly first?: Buffer;
  /** The nth piece to send. */
  readonly next: (n: number) => Buffer;
  readonly maxBytes: number;
}

/** A client that writes frames as it likes, below any HTTP/2 library, and reads and drops what comes. */
export class RawHttp2 {
  readonly #socket: Socket;
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>;
  #over = false;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.on('error', () => {});
    this.#socket.resume();
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', () => {
        this.#over = true;
        resolve();
      });
    });
    this.#socket.write(`PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`);
    this.#socket.write(http2Frame(FRAME.settings, 0, 0));
  }

  /** Sends until the server closes, stops reading, or `maxBytes` are sent. */
  async flood({ first, next, maxBytes }: Flood): Promise<void> {
    if (first !== undefined) this.#socket.write(first);
    for (let n = 0, sent = 0; sent < maxBytes && !this.#over; n++) {
      const piece = next(n);
      sent += piece.byteLength;
      if (!this.#socket.write(piece) && !(await this.#drained())) return;
    }
  }

  /** False where nothing was read for a while. */
  #drained(): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (drained: boolean) => {
        clearTimeout(timer);
        this.#socket.off('drain', onDrain).off('close', onDrain);
        resolve(drained);
      };
      const onDrain = () => settle(true);
      const timer = setTimeout(() => settle(false), 500);
      this.#socket.once('drain', onDrain).once('close', onDrain);
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
