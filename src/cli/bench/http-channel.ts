import type { Socket } from 'node:net';
import type { Channel, Settle } from './channel.js';
import { readHttpAnswer } from './http-answer.js';
import { connected, connectInPlace } from './read-in-place.js';
import { type Refusal, refusalOverHttp } from './refusal.js';

/**
 * A kept-alive connection, one request in flight, on a bare socket: the generator shares its machine with the server, so it
 * must cost little. Connects again when the server has closed it. A connection that stood open and is closed without a byte of the answer was
 * closed for idleness while the request was on its way: the request is sent once more, on a new one (RFC 9112, 9.3.1).
 */
export async function httpChannel(host: string, port: number): Promise<Channel> {
  let socket: Socket | undefined;
  let waiting: Settle | undefined;
  /** What is in flight on a connection that stood open; undefined from the first byte of the answer on. */
  let swallowed: Uint8Array | undefined;

  const end = (why: string) => {
    socket?.destroy();
    socket = undefined;
    const again = swallowed;
    swallowed = undefined;
    if (waiting !== undefined && again !== undefined) open().write(again);
    else settle(why);
  };
  const settle = (error: string | undefined, refusal?: Refusal) => {
    const call = waiting;
    waiting = undefined;
    call?.(error, refusal);
  };
  const take = (bytes: Buffer) => {
    swallowed = undefined;
    try {
      const answer = readHttpAnswer(bytes);
      if (answer === undefined) return 0;
      if (answer.status === 200) settle(undefined);
      else settle(`status ${answer.status}: ${answer.bodyText().slice(0, 200)}`, refusalOverHttp(answer.status));
      return answer.totalBytes;
    } catch (thrown) {
      end((thrown as Error).message);
      return bytes.length;
    }
  };
  const open = () => {
    const opened = connectInPlace(host, port, take);
    opened.on('error', (error) => opened === socket && end(error.message));
    opened.on('close', () => opened === socket && end('the server closed the connection'));
    socket = opened;
    return opened;
  };

  await connected(open(), host, port);
  return {
    send(request, whenSettled) {
      waiting = whenSettled;
      swallowed = socket && request;
      (socket ?? open()).write(request);
    },
    close() {
      waiting = undefined;
      const open = socket;
      socket = undefined;
      open?.destroy();
    },
  };
}
