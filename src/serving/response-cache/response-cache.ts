import type { Tensor } from '../../core/index.js';

/** What is kept beside the bytes of an answer, about: its key, its place in the order, its tensors' names and shapes. */
const ENTRY_BYTES = 384;
const TENSOR_BYTES = 192;

/** How a cache stands. */
export interface CacheState {
  readonly maxBytes: number;
  readonly bytes: number;
  readonly entries: number;
  /** Answers given up for the sake of newer ones, since the start. */
  readonly evictions: number;
}

class Entry {
  readonly shelf: Shelf;
  readonly key: string;
  readonly outputs: readonly Tensor[];
  readonly bytes: number;
  older: Entry | undefined = undefined;
  newer: Entry | undefined = undefined;

  constructor(shelf: Shelf, key: string, outputs: readonly Tensor[], bytes: number) {
    this.shelf = shelf;
    this.key = key;
    this.outputs = outputs;
    this.bytes = bytes;
  }
}

/** Answers of one version while it is loaded, in a cache that all share. */
export class Shelf {
  readonly entries = new Map<string, Entry>();
  readonly #cache: ResponseCache;

  constructor(cache: ResponseCache) {
    this.#cache = cache;
  }

  /** All outputs, for reading only, until the version is gone or newer answers need the room; they stay valid for who has them. */
  get(key: string): readonly Tensor[] | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.#cache.used(entry);
    return entry.outputs;
  }

  /** Keeps a copy, unless it alone is larger than the cache. */
  put(key: string, outputs: readonly Tensor[]): void {
    this.#cache.put(this, key, outputs);
  }

  /** The version is gone. */
  clear(): void {
    for (const entry of this.entries.values()) this.#cache.drop(entry);
    this.entries.clear();
  }
}

/** The answers of a server, bounded in bytes: what was not used for longest goes first. Constant time for each operation. */
export class ResponseCache {
  readonly #maxBytes: number;
  #bytes = 0;
  #entries = 0;
  #evictions = 0;
  #oldest: Entry | undefined;
  #newest: Entry | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  shelf(): Shelf {
    return new Shelf(this);
  }

  get state(): CacheState {
    return { maxBytes: this.#maxBytes, bytes: this.#bytes, entries: this.#entries, evictions: this.#evictions };
  }

  put(shelf: Shelf, key: string, outputs: readonly Tensor[]): void {
    let data = 0;
    for (const output of outputs) data += output.data.byteLength;
    const bytes = data + ENTRY_BYTES + TENSOR_BYTES * outputs.length;
    if (bytes > this.#maxBytes || shelf.entries.has(key)) return;
    while (this.#bytes + bytes > this.#maxBytes) this.#evict();
    const entry = new Entry(shelf, key, copied(outputs, data), bytes);
    shelf.entries.set(key, entry);
    this.#bytes += bytes;
    this.#entries++;
    this.#append(entry);
  }

  used(entry: Entry): void {
    if (entry === this.#newest) return;
    this.#unlink(entry);
    this.#append(entry);
  }

  /** Takes an entry out of the order; its shelf forgets it itself. */
  drop(entry: Entry): void {
    this.#unlink(entry);
    this.#bytes -= entry.bytes;
    this.#entries--;
  }

  #evict(): void {
    const entry = this.#oldest as Entry;
    this.drop(entry);
    entry.shelf.entries.delete(entry.key);
    this.#evictions++;
  }

  #append(entry: Entry): void {
    entry.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink(entry: Entry): void {
    const { older, newer } = entry;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    entry.older = undefined;
    entry.newer = undefined;
  }
}

/** In memory of their own: those of a lane are another's when its answer is given. */
function copied(outputs: readonly Tensor[], bytes: number): readonly Tensor[] {
  const memory = new Uint8Array(bytes);
  let at = 0;
  return outputs.map(({ name, dataType, shape, data }) => {
    memory.set(data, at);
    at += data.byteLength;
    return { name, dataType, shape: [...shape], data: memory.subarray(at - data.byteLength, at) };
  });
}
