import { type MemoryRegion, type MemoryRegions, ServingError, shownText } from '../../../core/index.js';
import { type FileIdentity, ShmFile } from './shm-file.js';

/** Regions at once: each is an open file of every thread that takes requests. */
const MOST_REGIONS = 1024;

/** A region as threads are told of it. */
export interface KnownRegion extends MemoryRegion {
  readonly file: FileIdentity;
}

/** What was registered, on the control thread; `changed` is told of each change. */
export class Regions implements MemoryRegions {
  readonly #changed: (regions: readonly KnownRegion[]) => void;
  readonly #regions = new Map<string, KnownRegion>();

  constructor(changed: (regions: readonly KnownRegion[]) => void) {
    this.#changed = changed;
  }

  register(region: MemoryRegion): void {
    const { name, key, offsetBytes, bytes } = region;
    if (name === '') throw malformed("'region name' is necessary to register system shared memory region");
    if (this.#regions.has(name))
      throw new ServingError('ALREADY_EXISTS', `shared memory region ${quoted(name)} already in manager`);
    if (this.#regions.size >= MOST_REGIONS)
      throw new ServingError('OVERLOADED', `${MOST_REGIONS} shared memory regions are registered, as many as may be`);
    const file = ShmFile.open(key);
    try {
      if (bytes < 1 || offsetBytes + bytes > file.bytes) {
        throw malformed(
          `failed to register shared memory region ${quoted(name)}: invalid args (${bytes} bytes from ${offsetBytes} on are asked for, '${key.slice(0, 64)}' has ${file.bytes})`,
        );
      }
      this.#regions.set(name, { name, key, offsetBytes, bytes, file: file.identity });
    } finally {
      file.close();
    }
    this.#changed([...this.#regions.values()]);
  }

  unregister(name?: string): void {
    if (name === undefined) this.#regions.clear();
    else if (!this.#regions.delete(name)) return;
    this.#changed([...this.#regions.values()]);
  }

  list(name?: string): readonly MemoryRegion[] {
    if (name === undefined) return [...this.#regions.values()];
    const region = this.#regions.get(name);
    if (region !== undefined) return [region];
    throw new ServingError('ROUTE_NOT_FOUND', `Unable to find system shared memory region: ${quoted(name)}`);
  }
}

/** Of a server that takes no memory of clients. */
export const NO_REGIONS: MemoryRegions = {
  register: () => {
    throw notAllowed();
  },
  unregister: () => {
    throw notAllowed();
  },
  list: () => [],
};

function notAllowed(): ServingError {
  return new ServingError(
    'UNSUPPORTED',
    'shared memory of clients is not taken: the server runs without --allow-client-shm=true',
  );
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}

/** As Triton quotes names. */
function quoted(name: string): string {
  return `'${shownText(name).slice(1, -1)}'`;
}
