import { connect, type Socket } from 'node:net';

/** What a read of any connection brings lies here until its taker returns: Node would allocate as much for each read. */
const READ = Buffer.allocUnsafeSlow(64 * 1024);

const NOTHING = Buffer.alloc(0);

/**
 * A connection whose bytes go to `take`, which says how many of them it is done with; it gets the others again when more have come.
 * They are valid until it returns.
 */
export function connectInPlace(host: string, port: number, take: (bytes: Buffer) => number): Socket {
  let kept: Buffer = NOTHING;
  const callback = (count: number) => {
    const chunk = READ.subarray(0, count);
    const bytes = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    const rest = bytes.subarray(take(bytes));
    kept = rest.length > 0 && bytes === chunk ? Buffer.from(rest) : rest;
    return true;
  };
  return connect({ host, port, noDelay: true, onread: { buffer: READ, callback } });
}

/** Resolves when the socket is connected; rejects with a sentence. */
export function connected(socket: Socket, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) =>
      reject(new Error(`no server at ${host}:${port} (${error.code ?? error.message})`));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve();
    });
  });
}
