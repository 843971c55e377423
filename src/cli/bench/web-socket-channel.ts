import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Channel, Settle } from './channel.js';
import type { LoadTarget } from './load-job.js';
import { connected, connectInPlace } from './read-in-place.js';
import { clientFrame, OPCODES, readServerFrame, type ServerFrame } from './web-socket-frames.js';

const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const GONE = 'the server closed the WebSocket';

/**
 * One WebSocket with one request in flight. An answer is a message; a text message that starts with an error is one. Does not
 * connect again: a server that ends a WebSocket has a reason.
 */
export async function webSocketChannel({ host, port, path }: LoadTarget): Promise<Channel> {
  let take: (chunk: Buffer) => void = () => {};
  const socket = connectInPlace(host, port, (chunk) => take(chunk));
  await connected(socket, host, port);
  const from = `${host}:${port}`;
  let pending = await shakeHands(socket, from, path, (next) => {
    take = next;
  });
  let waiting: Settle | undefined;
  let gone = false;

  const settle = (error: string | undefined) => {
    const call = waiting;
    waiting = undefined;
    call?.(error);
  };
  const takeFrame = (frame: ServerFrame) => {
    if (frame.opcode === OPCODES.ping) socket.write(clientFrame(OPCODES.pong, frame.payload));
    else if (frame.opcode === OPCODES.close) socket.end();
    else if (frame.opcode !== OPCODES.pong && frame.final) settle(errorOf(frame));
  };
  const end = () => {
    gone = true;
    settle(GONE);
  };
  take = (chunk) => {
    const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let rest: Buffer = bytes;
    for (let frame = readServerFrame(rest); frame !== undefined; frame = readServerFrame(rest)) {
      rest = rest.subarray(frame.totalBytes);
      takeFrame(frame);
    }
    pending = rest.length > 0 && bytes === chunk ? Buffer.from(rest) : rest;
  };
  socket.on('error', end);
  socket.on('close', end);
  return {
    send(request, whenSettled) {
      waiting = whenSettled;
      if (gone) setImmediate(settle, GONE);
      else socket.write(request);
    },
    close() {
      waiting = undefined;
      socket.destroy();
    },
  };
}

function errorOf({ opcode, payload }: ServerFrame): string | undefined {
  const failed = opcode === OPCODES.text && payload.toString('utf8', 0, 12).startsWith('{"error"');
  return failed ? payload.toString('utf8', 0, 200) : undefined;
}

/** Upgrades the connection, whose bytes go to whom `takeBy` is told; resolves to those that came behind the head. */
function shakeHands(
  socket: Socket,
  host: string,
  path: string,
  takeBy: (take: (chunk: Buffer) => void) => void,
): Promise<Buffer> {
  const key = randomBytes(16).toString('base64');
  const accept = createHash('sha1')
    .update(key + ACCEPT_SUFFIX)
    .digest('base64');
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const settled = () => {
      takeBy(() => {});
      socket.off('error', fail);
      socket.off('close', closed);
    };
    const fail = (error: Error) => {
      settled();
      socket.destroy();
      reject(error);
    };
    const closed = () => fail(new Error(`${host} closed the connection in the WebSocket handshake`));
    const take = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = bytes.toString('latin1', 0, end);
      if (!head.startsWith('HTTP/1.1 101') || !head.includes(accept))
        return fail(new Error(`${host}${path} takes no WebSocket: ${head.split('\r\n')[0]}`));
      settled();
      resolve(bytes.subarray(end + 4));
    };
    takeBy(take);
    socket.on('error', fail);
    socket.on('close', closed);
  });
}
