import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { ServingError } from '../../../core/index.js';

/**
 * The listening socket of a gRPC server and the connections it took. It is ours and not grpc-js's, which logs a failed
 * bind to stderr by itself and, forced to shut down, waits for clients that do not read.
 */
export class GrpcListener {
  readonly port: number;
  readonly #listener: NetServer;
  readonly #sockets: Set<Socket>;

  private constructor(listener: NetServer, sockets: Set<Socket>, port: number) {
    this.#listener = listener;
    this.#sockets = sockets;
    this.port = port;
  }

  /** Binds and hands every connection to `server`. Rejects with CONFLICT where the address cannot be bound. */
  static bind(server: Server, address: string, port: number): Promise<GrpcListener> {
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const sockets = new Set<Socket>();
    const listener = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      injector.injectConnection(socket);
    });
    const host = address.replace(/^\[(.*)\]$/, '$1');
    return new Promise((resolve, reject) => {
      listener.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(host, port, cause)));
      listener.listen({ host, port, exclusive: true }, () => {
        listener.removeAllListeners('error');
        const bound = listener.address();
        resolve(new GrpcListener(listener, sockets, typeof bound === 'object' && bound !== null ? bound.port : port));
      });
    });
  }

  /** Takes no more connections; resolves when those it took are closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#listener.close(() => resolve());
    });
  }

  /** Cuts every connection, whatever it is doing. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process has the port',
  EADDRNOTAVAIL: 'the address is not of this machine',
  EACCES: 'the port needs a right that this process does not have',
  ENOTFOUND: 'the host name is not known',
};

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): ServingError {
  const why = WHY[cause.code ?? ''] ?? cause.message;
  const message = `gRPC: cannot listen on ${host} port ${port}: ${why}; free it or choose another with --grpc-port and --grpc-address`;
  return new ServingError('CONFLICT', message, { cause });
}
