import { grpcChannels } from './grpc-channel.js';
import { httpChannel } from './http-channel.js';
import type { LoadTarget } from './load-job.js';
import type { Refusal } from './refusal.js';
import { webSocketChannel } from './web-socket-channel.js';

/**
 * Called once, when the whole answer is there (no error) or there is none (what went wrong, in words). `refusal`: the server
 * refused it for lack of room or time.
 */
export type Settle = (error: string | undefined, refusal?: Refusal) => void;

/** A way to the server with one request in flight. */
export interface Channel {
  /** Sends wire bytes; `settle` comes later, never within. Not while another is in flight. */
  send(request: Uint8Array, settle: Settle): void;
  /** Drops what is in flight without settling it. */
  close(): void;
}

/** Opens `count` channels; resolves when all are connected. Rejects with a sentence where one is refused. */
export async function openChannels(target: LoadTarget, count: number): Promise<Channel[]> {
  const { host, port } = target;
  if (target.protocol === 'grpc') return await grpcChannels(host, port, count);
  const open = target.protocol === 'http' ? () => httpChannel(host, port) : () => webSocketChannel(target);
  const opened: Channel[] = [];
  try {
    // One after another: a hundred handshakes at once overrun the accept queue of some servers.
    for (let i = 0; i < count; i++) opened.push(await open());
  } catch (thrown) {
    for (const channel of opened) channel.close();
    throw thrown;
  }
  return opened;
}
