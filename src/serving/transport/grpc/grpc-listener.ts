import { createServer, type Http2Server } from 'node:http2';
import type { Socket } from 'node:net';
import { ServingError } from '../../../core/index.js';
import { Connection, type ConnectionOptions } from './framing/connection.js';
import type { CallContext, Method } from './framing/method.js';
import { openCall } from './framing/open-call.js';
import { serverLimits, WINDOW_BYTES } from './http2-limits.js';

export interface ListenerOptions {
  readonly address: string;
  readonly port: number;
  readonly maxConcurrentStreams: number;
  readonly connections: ConnectionOptions;
}

/** The listening socket of a gRPC server, the connections it took, and the way from a stream to its method. */
export class GrpcListener {
  readonly port: number;
  readonly #server: Http2Server;
  readonly #sockets: ReadonlySet<Socket>;
  readonly #connections: ReadonlySet<Connection>;

  private constructor(
    server: Http2Server,
    sockets: ReadonlySet<Socket>,
    connections: ReadonlySet<Connection>,
    port: number,
  ) {
    this.#server = server;
    this.#sockets = sockets;
    this.#connections = connections;
    this.port = port;
  }

  /** Binds and serves `methods`. Rejects with CONFLICT where the address cannot be bound. */
  static bind(options: ListenerOptions, methods: readonly Method[], context: CallContext): Promise<GrpcListener> {
    const server = createServer(serverLimits(options.maxConcurrentStreams, context.maxMessageBytes));
    const sockets = new Set<Socket>();
    const connections = new Set<Connection>();
    const byPath = new Map(methods.map((method) => [method.path, method]));
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    server.on('session', (session) => {
      session.setLocalWindowSize(WINDOW_BYTES);
      const connection = new Connection(session, context.clock, options.connections, () =>
        connections.delete(connection),
      );
      connections.add(connection);
    });
    server.on('stream', (stream, headers) => openCall(stream, headers, byPath, context));
    const host = options.address.replace(/^\[(.*)\]$/, '$1');
    return new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(host, options.port, cause)));
      server.listen({ host, port: options.port, exclusive: true }, () => {
        server.removeAllListeners('error');
        const bound = server.address();
        const port = typeof bound === 'object' && bound !== null ? bound.port : options.port;
        resolve(new GrpcListener(server, sockets, connections, port));
      });
    });
  }

  /** Takes no more connections and tells the clients of those it has to go; resolves when all are closed. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const connection of [...this.#connections]) connection.leave();
    });
  }

  /** Cuts every connection, whatever it is doing. */
  destroy(): void {
    for (const socket of [...this.#sockets]) socket.destroy();
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
