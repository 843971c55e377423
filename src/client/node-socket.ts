import type { ClientTls } from './node-fetch.js';
import type { Socket } from './socket.js';

const HANDSHAKE_MS = 30_000;
/** Below the shortest time of silence that a gateway may be told to allow (8 s). */
const SIGN_OF_LIFE_MS = 5_000;

/** A WebSocket of the package `ws`: Node 20 has none of its own, and those of later ones take no headers. */
export async function openNodeSocket(
  url: string,
  headers: Readonly<Record<string, string>>,
  tls: ClientTls | undefined,
): Promise<Socket> {
  const { WebSocket } = await import('ws');
  // Compression is the server's to offer; it costs more than it saves beside a gateway.
  const options = { ...tls, headers, handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false, maxPayload: 0 };
  const socket = new WebSocket(url, options);
  let beat: NodeJS.Timeout | undefined;
  const quiet = () => clearInterval(beat);
  socket.once('close', quiet);
  return Object.assign(socket, {
    pause: () => {
      // A socket that is not read answers no pings: the server would take it for dead.
      beat = setInterval(() => socket.readyState === WebSocket.OPEN && socket.pong(), SIGN_OF_LIFE_MS).unref();
      WebSocket.prototype.pause.call(socket);
    },
    resume: () => {
      quiet();
      WebSocket.prototype.resume.call(socket);
    },
  }) as unknown as Socket;
}
