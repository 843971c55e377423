import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Channel, Settle } from './channel.js';
import type { LoadTarget } from './load-job.js';
import { connected, connectInPlace } from './read-in-place.js';
import { clientFrame, OPCODES, readServerFrame, type ServerFrame } from './web-socket-frames.js';

const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
type Take = (bytes: Buffer) => number;

const nobody: Take = () => 0;
const GONE = 'the server closed the WebSocket';

/**
 * One WebSocket with one request in flight. An answer is a message; a text message that starts with an error is one. Does not
 * connect again: a server that ends a WebSocket has a reason.
 */
export async function webSocketChannel({ host, port, path }: LoadTarget): Promise<Channel> {
  let take: Take = nobody;
  const socket = connectInPlace(host, port, (bytes) => take(bytes));
  await connected(socket, host, port);
  await shakeHands(socket, `${host}:${port}`, path, (next) => {
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
  take = (bytes) => {
    let taken = 0;
    for (let frame = readServerFrame(bytes); frame !== undefined; frame = readServerFrame(bytes.subarray(taken))) {
      taken += frame.totalBytes;
      takeFrame(frame);
    }
    return taken;
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

/** Upgrades the connection, whose bytes go to whom `takeBy` is told; those that come behind the head are left. */
function shakeHands(socket: Socket, host: string, path: string, takeBy: (take: Take) => void): Promise<void> {
  const key = randomBytes(16).toString('base64');
  const accept = createHash('sha1')
    .update(key + ACCEPT_SUFFIX)
    .digest('base64');
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  return new Promise((resolve, reject) => {
    const settled = () => {
      takeBy(nobody);
      socket.off('error', fail);
      socket.off('close', closed);
    };
    const fail = (error: Error) => {
      settled();
      socket.destroy();
      reject(error);
    };
    const closed = () => fail(new Error(`${host} closed the connection in the WebSocket handshake`));
    const take: Take = (bytes) => {
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return 0;
      const head = bytes.toString('latin1', 0, end);
      if (head.startsWith('HTTP/1.1 101') && head.includes(accept)) {
        settled();
        resolve();
      } else fail(new Error(`${host}${path} takes no WebSocket: ${head.split('\r\n')[0]}`));
      return end + 4;
    };
    takeBy(take);
    socket.on('error', fail);
    socket.on('close', closed);
  });
}
