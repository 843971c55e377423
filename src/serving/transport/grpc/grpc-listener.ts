import { createSecureServer, createServer, type Http2SecureServer, type Http2Server } from 'node:http2';
import { createServer as createNetServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { ServingError } from '../../../core/index.js';
import { cannotListen } from '../port-conflict.js';
import type { TlsFiles, TlsKeys } from '../tls/tls-files.js';
import { TlsSource } from '../tls/tls-source.js';
import { type UnixSocketPlace, unixSocket } from '../unix-socket.js';
import { Connection, type ConnectionOptions } from './framing/connection.js';
import type { CallContext, Method } from './framing/method.js';
import { openCall } from './framing/open-call.js';
import { serverLimits, WINDOW_BYTES } from './http2-limits.js';
import { sharedListening } from './shared-port.js';

export interface ListenerOptions {
  readonly address: string;
  readonly port: number;
  readonly unixSocket: UnixSocketPlace | undefined;
  /** Whether other threads listen on the port as well. */
  readonly shared: boolean;
  readonly maxConcurrentStreams: number;
  readonly connections: ConnectionOptions;
  /** Undefined: no TLS. */
  readonly tls: TlsFiles | undefined;
}

/** Time that a client has to say hello. */
const HANDSHAKE_MS = 20_000;

/** The listening socket of a gRPC server, the connections it took, and the way from a stream to its method. */
export class GrpcListener {
  readonly port: number;
  readonly #server: Http2Server | Http2SecureServer;
  readonly #sockets: ReadonlySet<Socket>;
  readonly #connections: ReadonlySet<Connection>;
  readonly #beside: BesideListener | undefined;
  readonly #source: TlsSource | undefined;

  private constructor(
    server: Http2Server | Http2SecureServer,
    source: TlsSource | undefined,
    sockets: ReadonlySet<Socket>,
    connections: ReadonlySet<Connection>,
    port: number,
    beside: BesideListener | undefined,
  ) {
    this.#server = server;
    this.#source = source;
    this.#sockets = sockets;
    this.#connections = connections;
    this.port = port;
    this.#beside = beside;
  }

  /** Binds and serves `methods`. Rejects with CONFLICT where the address cannot be bound. */
  static async bind(options: ListenerOptions, methods: readonly Method[], context: CallContext): Promise<GrpcListener> {
    const source = options.tls && new TlsSource(options.tls, { name: 'gRPC', clock: context.clock, log: context.log });
    const server = serverOf(options, source?.keys, context.maxMessageBytes);
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
    const place = { host, port: options.port };
    try {
      await listening(server, options.shared ? await sharedListening(place) : { ...place, exclusive: true });
    } catch (thrown) {
      throw cannotListen('gRPC', host, options.port, thrown as NodeJS.ErrnoException);
    }
    const bound = server.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : options.port;
    try {
      const beside = options.unixSocket && (await listenBeside(server, options.unixSocket));
      source?.follow((keys) => (server as Http2SecureServer).setSecureContext(secretsOf(keys)));
      return new GrpcListener(server, source, sockets, connections, port, beside);
    } catch (thrown) {
      server.close();
      throw thrown;
    }
  }

  /** Takes no more connections and tells the clients of those it has to go; resolves when all are closed. */
  close(): Promise<void> {
    this.#beside?.close();
    this.#source?.close();
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

function serverOf({ maxConcurrentStreams }: ListenerOptions, keys: TlsKeys | undefined, maxMessageBytes: number) {
  const limits = serverLimits(maxConcurrentStreams, maxMessageBytes);
  if (keys === undefined) return createServer(limits);
  const mutual = keys.ca !== undefined;
  const asked = { requestCert: mutual, rejectUnauthorized: mutual, handshakeTimeout: HANDSHAKE_MS };
  return createSecureServer({ ...limits, ...secretsOf(keys), ...asked });
}

function secretsOf({ cert, key, ca }: TlsKeys) {
  return { cert, key, ...(ca === undefined ? {} : { ca }), minVersion: 'TLSv1.2' as const };
}

/** A second place whose connections a server takes. */
interface BesideListener {
  close(): void;
}

/** Has a server take the connections of a Unix socket as well. Rejects with CONFLICT. */
async function listenBeside(server: Http2Server | Http2SecureServer, place: UnixSocketPlace): Promise<BesideListener> {
  const socket = await unixSocket('gRPC', place);
  const beside = createNetServer((connection) => server.emit('connection', connection));
  try {
    await listening(beside, { path: socket.bindPath });
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    throw new ServingError('CONFLICT', `gRPC: cannot bind the Unix socket ${place.path}: ${code ?? message}`, {
      cause: thrown,
    });
  }
  socket.publish();
  return {
    close: () => {
      beside.close();
      socket.remove();
    },
  };
}

function listening(
  server: Pick<Server, 'once' | 'listen' | 'removeAllListeners'>,
  options: ListenOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.removeAllListeners('error');
      resolve();
    });
  });
}
