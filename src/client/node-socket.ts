import type { Socket } from './socket.js';

const HANDSHAKE_MS = 30_000;

/** A WebSocket of the package `ws`: Node 20 has none of its own, and those of later ones take no headers. */
export async function openNodeSocket(url: string, headers: Readonly<Record<string, string>>): Promise<Socket> {
  const { WebSocket } = await import('ws');
  // Compression is the server's to offer; it costs more than it saves beside a gateway.
  const options = { headers, handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false, maxPayload: 0 };
  return new WebSocket(url, options) as unknown as Socket;
}
