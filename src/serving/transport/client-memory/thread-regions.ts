import { type ClientMemory, type MemoryPlace, ServingError } from '../../../core/index.js';
import type { KnownRegion } from './regions.js';
import { ShmFile } from './shm-file.js';

/** A region, and its file once this thread has used it. */
interface OpenRegion {
  readonly region: KnownRegion;
  file: ShmFile | undefined;
}

/**
 * The regions of clients on one thread, each with a file of its own: a region that is taken back while another thread reads it is then nobody
 * else's file.
 */
export class ThreadRegions implements ClientMemory {
  readonly #refresh: () => void;
  #open = new Map<string, OpenRegion>();

  /** `refresh`: called before each look-up; calls `are` where something has changed. */
  constructor(refresh: () => void) {
    this.#refresh = refresh;
  }

  /** These are registered from now on. */
  are(regions: readonly KnownRegion[]): void {
    const open = new Map<string, OpenRegion>();
    for (const region of regions) {
      const before = this.#open.get(region.name);
      const same = before !== undefined && sameRegion(before.region, region);
      open.set(region.name, { region, file: same ? before.file : undefined });
      if (same) this.#open.delete(region.name);
    }
    for (const { file } of this.#open.values()) file?.close();
    this.#open = open;
  }

  read(place: MemoryPlace): Uint8Array {
    const { region, file } = this.#at(place);
    const data = file.read(region.offsetBytes + place.offsetBytes, place.bytes);
    if (data !== undefined) return data;
    throw malformed(`shared memory region '${region.name}' is shorter than it was when it was registered`);
  }

  write(place: MemoryPlace, data: Uint8Array): void {
    const { region, file } = this.#at(place);
    const at = region.offsetBytes + place.offsetBytes;
    // A file that was cut off would grow again.
    if (at + data.byteLength > file.bytes)
      throw malformed(`shared memory region '${region.name}' is shorter than it was when it was registered`);
    file.write(at, data);
  }

  close(): void {
    this.are([]);
  }

  #at({ region: name, offsetBytes, bytes }: MemoryPlace): { region: KnownRegion; file: ShmFile } {
    this.#refresh();
    const found = this.#open.get(name);
    if (found === undefined) throw malformed(`Unable to find shared memory region: '${name.slice(0, 256)}'`);
    const { region } = found;
    if (offsetBytes + bytes > region.bytes) {
      throw malformed(
        `Invalid offset + byte size for shared memory region: '${region.name}' (it has ${region.bytes} bytes, ${bytes} from ${offsetBytes} on are asked for)`,
      );
    }
    found.file ??= openAgain(region);
    return { region, file: found.file };
  }
}

/** Throws where the key names another file now. */
function openAgain({ name, key, file: { device, inode } }: KnownRegion): ShmFile {
  const file = ShmFile.open(key);
  if (file.identity.device === device && file.identity.inode === inode) return file;
  file.close();
  throw malformed(`shared memory region '${name}': its key names another file now; register it again`);
}

function sameRegion(a: KnownRegion, b: KnownRegion): boolean {
  return (
    a.key === b.key &&
    a.offsetBytes === b.offsetBytes &&
    a.bytes === b.bytes &&
    a.file.inode === b.file.inode &&
    a.file.device === b.file.device
  );
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
