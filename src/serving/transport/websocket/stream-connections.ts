import { ServingError } from '../../../core/index.js';
import { addressText } from '../client-address.js';
import { callerTraits } from '../http/caller-traits.js';
import { Exchange } from '../http/exchange.js';
import type { HttpState } from '../http/http-options.js';
import { isVersioned, type ModelPath, modelPath } from '../http/model-path.js';
import { readHeaders } from '../http/request-headers.js';
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from '../uws/uws-types.js';
import { type StreamCaller, StreamConnection } from './stream-connection.js';
import { TurnFrames } from './turn-frames.js';

/** What the library keeps with a socket: set at the upgrade, completed when it opens. */
interface SocketData {
  readonly path: ModelPath;
  readonly caller: StreamCaller;
  connection: StreamConnection | undefined;
}

/** All WebSockets of one server: upgrades them, hands them their frames, closes them on drain. */
export class StreamConnections {
  readonly #server: HttpState;
  readonly #turn: TurnFrames;
  readonly #connections = new Set<StreamConnection>();
  #whenNone: (() => void)[] = [];

  constructor(server: HttpState) {
    this.#server = server;
    this.#turn = new TurnFrames(server.replies);
  }

  /** Takes upgrades on a pattern with `:model` and perhaps `:version`. */
  register(app: Pick<TemplatedApp, 'ws'>, pattern: string): void {
    const server = this.#server;
    const versioned = isVersioned(pattern);
    app.ws<SocketData>(pattern, {
      maxPayloadLength: server.maxFrameBytes,
      idleTimeout: server.streamIdleSeconds,
      sendPingsAutomatically: true,
      maxBackpressure: server.maxStreamBacklogBytes,
      closeOnBackpressureLimit: true,
      // Shared: a window for all connections, reset with each message, so that a connection holds none.
      compression: server.streamCompression
        ? server.uws.SHARED_COMPRESSOR | server.uws.SHARED_DECOMPRESSOR
        : server.uws.DISABLED,
      upgrade: (response, request, context) => this.#upgrade(response, request, context, versioned),
      open: (socket) => this.#open(socket),
      message: (socket, message, isBinary) => socket.getUserData().connection?.receive(message, isBinary),
      drain: (socket) => socket.getUserData().connection?.drained(),
      close: (socket) => this.#closed(socket.getUserData().connection),
    });
  }

  /** Ends every connection with 1001 as soon as it owes no answer. */
  drain(): void {
    for (const connection of this.#connections) connection.drain();
  }

  /** Resolves when no connection is left; at once where there is none. */
  settled(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenNone.push(resolve);
    });
  }

  #upgrade(response: HttpResponse, request: HttpRequest, context: us_socket_context_t, versioned: boolean): void {
    try {
      if (this.#server.inFlight.draining)
        throw new ServingError('DRAINING', 'the server is draining and takes no new connections');
      if (this.#connections.size >= this.#server.maxStreams) {
        const { maxStreams } = this.#server;
        throw new ServingError('OVERLOADED', `${maxStreams} WebSockets are open, as many as this server takes`);
      }
      const { tenant, criticality, ...traced } = readHeaders(request, this.#server.tenantHeader);
      const wantsClient = this.#server.watch?.wantsClient === true;
      const caller = {
        tenantHeader: tenant,
        criticalityHeader: criticality,
        caller: callerTraits(this.#server.inference.wanted, this.#server.forward, request, response),
        traceparent: traced.traceparent,
        tracestate: traced.tracestate,
        userAgent: traced.userAgent,
        client: wantsClient ? addressText(new Uint8Array(response.getRemoteAddress())) : '',
      };
      const data: SocketData = { path: modelPath(request, versioned), caller, connection: undefined };
      response.upgrade(
        data,
        request.getHeader('sec-websocket-key'),
        request.getHeader('sec-websocket-protocol'),
        request.getHeader('sec-websocket-extensions'),
        context,
      );
    } catch (thrown) {
      const exchange = new Exchange(this.#server, response);
      exchange.watchCall(request);
      exchange.refuseFraming(thrown);
    }
  }

  #open(socket: WebSocket<SocketData>): void {
    const data = socket.getUserData();
    const connection = new StreamConnection(this.#server, socket, data.path, data.caller, this.#turn);
    data.connection = connection;
    this.#connections.add(connection);
  }

  #closed(connection: StreamConnection | undefined): void {
    if (connection === undefined || !this.#connections.delete(connection)) return;
    connection.closed();
    if (this.#connections.size > 0) return;
    const waiting = this.#whenNone;
    this.#whenNone = [];
    for (const resolve of waiting) resolve();
  }
}
