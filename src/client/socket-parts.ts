import { clientError, PenstockError } from './client-error.js';
import { partOf } from './final-mark.js';
import type { InferMessage } from './infer-message.js';
import { PartQueue } from './part-queue.js';
import type { InferAnswer } from './protocol.js';
import { closingText, type Socket } from './socket.js';
import { frameOf, readFrame } from './stream-frame.js';
import type { Parts } from './streamed.js';
import type { TimeLimit } from './time-limit.js';

/**
 * The parts of one answer over a WebSocket of its own: closing it is how the server hears that nobody wants the rest, and not
 * reading it is how the model is made to wait.
 */
export async function* socketParts(
  open: () => Promise<Socket>,
  message: InferMessage,
  { signal }: TimeLimit,
): Parts<InferAnswer> {
  const queue = new PartQueue<InferAnswer>();
  let socket: Socket | undefined;
  const stop = () => {
    queue.stop(signal.reason as PenstockError);
    if (socket !== undefined) leave(socket);
  };
  signal.addEventListener('abort', stop);
  try {
    socket = await open();
    listen(socket, queue, message);
    if (signal.aborted) stop();
    yield* queue.read();
  } finally {
    signal.removeEventListener('abort', stop);
    if (socket !== undefined) leave(socket);
  }
}

function listen(socket: Socket, queue: PartQueue<InferAnswer>, message: InferMessage): void {
  socket.binaryType = 'arraybuffer';
  queue.source = { pause: socket.pause?.bind(socket), resume: socket.resume?.bind(socket) };
  let why = '';
  socket.onerror = ({ message: told }: { message?: string }) => {
    why = told ?? '';
  };
  socket.onopen = () => socket.send(frameOf(message));
  socket.onclose = (event: { code?: number; reason?: string }) =>
    queue.end(clientError('UNREACHABLE', `the connection of the answer is gone (${closingText(event, why)})`));
  socket.onmessage = ({ data }: { data: string | ArrayBuffer }) => {
    try {
      const { outcome } = readFrame(data);
      if (outcome instanceof PenstockError) {
        queue.end(outcome);
        return;
      }
      const { answer, last } = partOf(outcome);
      if (answer !== undefined) queue.push(answer, typeof data === 'string' ? data.length : data.byteLength);
      if (last) queue.end();
    } catch (thrown) {
      queue.end(thrown as PenstockError);
    }
  };
}

/** Closes a socket that nobody listens to any more; what still comes is dropped. */
function leave(socket: Socket): void {
  socket.onopen = socket.onmessage = socket.onclose = null;
  // Node's tells that it was closed while it connected, as an error that somebody has to take.
  socket.onerror = () => {};
  // The other side's closing would not be read.
  socket.resume?.();
  socket.close();
}
