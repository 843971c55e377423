import { chmodSync, lstatSync, renameSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { ServingError } from '../../core/index.js';

/** A Unix domain socket to listen on beside a port. */
export interface UnixSocketPlace {
  readonly path: string;
  /** Permissions of the file: who may connect needs the right to write. */
  readonly mode: number;
}

/** A socket that listens; it is bound under another name first, and takes its own when it is ready. */
export interface UnixSocket {
  /** Where it is to be bound. */
  readonly bindPath: string;
  /** Gives what was bound its permissions and its name; whatever had the name before is gone in the same step. Throws CONFLICT. */
  publish(): void;
  /** Takes the name away, unless another has it by now. Idempotent. */
  remove(): void;
}

/** `sun_path` of Linux and macOS, less the end mark and the name in the making. */
const MOST_PATH_BYTES = 99;

/**
 * Makes ready to listen at a path. A socket file that nobody listens on, left by a process that ended, is replaced. Rejects with
 * CONFLICT where another process listens there, or where there is something that is no socket. `what`: `HTTP`, for messages.
 */
export async function unixSocket(what: string, { path, mode }: UnixSocketPlace): Promise<UnixSocket> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ServingError('CONFLICT', `${what}: cannot listen on the Unix socket ${path}: ${why}`, { cause });
  };
  if (Buffer.byteLength(path) > MOST_PATH_BYTES) refuse(`its path has more than ${MOST_PATH_BYTES} bytes`);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isSocket()) refuse('there is a file that is no socket');
  if (found !== undefined && (await isListening(path))) refuse('another process listens there');
  const bindPath = `${path}.new`;
  rmSync(bindPath, { force: true });
  let ours: number | undefined;
  return {
    bindPath,
    publish() {
      try {
        chmodSync(bindPath, mode);
        renameSync(bindPath, path);
        ours = lstatSync(path).ino;
      } catch (thrown) {
        rmSync(bindPath, { force: true });
        refuse((thrown as Error).message, thrown);
      }
    },
    remove() {
      if (ours !== undefined && lstatSync(path, { throwIfNoEntry: false })?.ino === ours) rmSync(path, { force: true });
      ours = undefined;
    },
  };
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const tell = (listening: boolean): void => {
      probe.destroy();
      resolve(listening);
    };
    probe.once('connect', () => tell(true));
    // Refused: the file is all that is left of it. A socket that we may not connect to may be somebody's.
    probe.once('error', ({ code }: NodeJS.ErrnoException) => tell(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}
