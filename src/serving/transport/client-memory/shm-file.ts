import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { ServingError } from '../../../core/index.js';

/** Where POSIX shared memory is on Linux: what `shm_open` opens. */
const FOLDER = '/dev/shm';
/** Of a key. */
const MOST_CHARACTERS = 255;

/** Which file it is, whatever its name says later. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number;
}

/**
 * An open piece of POSIX shared memory. It is read and written as a file, not mapped: a client that cuts it off makes a read short, where a
 * mapping would end the process (SIGBUS), and the pages are copied all the same.
 */
export class ShmFile {
  readonly identity: FileIdentity;
  readonly #fd: number;

  private constructor(fd: number, identity: FileIdentity) {
    this.#fd = fd;
    this.identity = identity;
  }

  /** Throws MALFORMED_REQUEST where a key names no shared memory that may be read and written. */
  static open(key: string): ShmFile {
    const name = key.startsWith('/') ? key.slice(1) : key;
    if (name === '' || name === '.' || name === '..' || name.length > MOST_CHARACTERS || /[/\0]/.test(name))
      throw wrongKey(key, 'a name without further slashes is expected');
    let fd: number;
    try {
      // A pipe must not hold the thread, a link not lead elsewhere.
      fd = openSync(`${FOLDER}/${name}`, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (cause) {
      throw wrongKey(key, (cause as NodeJS.ErrnoException).code ?? 'it cannot be opened');
    }
    const stats = fstatSync(fd);
    if (!stats.isFile()) {
      closeSync(fd);
      throw wrongKey(key, 'it is no shared memory');
    }
    return new ShmFile(fd, { device: stats.dev, inode: stats.ino });
  }

  get bytes(): number {
    return fstatSync(this.#fd).size;
  }

  /** A copy; undefined where the file ends before. */
  read(at: number, bytes: number): Uint8Array | undefined {
    const copy = Buffer.allocUnsafeSlow(bytes);
    for (let filled = 0; filled < bytes; ) {
      const read = readSync(this.#fd, copy, filled, bytes - filled, at + filled);
      if (read === 0) return undefined;
      filled += read;
    }
    return copy;
  }

  write(at: number, data: Uint8Array): void {
    for (let written = 0; written < data.byteLength; )
      written += writeSync(this.#fd, data, written, data.byteLength - written, at + written);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function wrongKey(key: string, why: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', `Unable to open shared memory region: '${key.slice(0, 64)}' (${why})`);
}
