import { connect, type Socket } from 'node:net';

/** What a read of any connection brings lies here until its taker returns: Node would allocate as much for each read. */
const READ = Buffer.allocUnsafeSlow(64 * 1024);

/** A connection whose bytes go to `take`; they are valid until it returns: what is kept is copied. */
export function connectInPlace(host: string, port: number, take: (chunk: Buffer) => void): Socket {
  const callback = (bytes: number) => {
    take(READ.subarray(0, bytes));
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
