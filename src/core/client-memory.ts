/** A part of a region of memory that a client has registered. */
export interface MemoryPlace {
  readonly region: string;
  /** From the region's beginning. */
  readonly offsetBytes: number;
  readonly bytes: number;
}

/** A region as its client registered it: a part of a file in /dev/shm. */
export interface MemoryRegion {
  readonly name: string;
  readonly key: string;
  /** Of the region in the file. */
  readonly offsetBytes: number;
  readonly bytes: number;
}

/** The regions of all clients. Throws UNSUPPORTED where the server takes none. */
export interface MemoryRegions {
  /** Throws ALREADY_EXISTS, MALFORMED_REQUEST where there is no such file, or it is shorter. */
  register(region: MemoryRegion): void;
  /** All where no name is given; without effect where there is no such region. */
  unregister(name?: string): void;
  /** All where no name is given; throws ROUTE_NOT_FOUND for one that is not there. */
  list(name?: string): readonly MemoryRegion[];
}

/** How a thread that takes requests gets at registered regions. Both throw MALFORMED_REQUEST where a place is not there. */
export interface ClientMemory {
  /** A copy of what lies there now. */
  read(place: MemoryPlace): Uint8Array;
  write(place: MemoryPlace, data: Uint8Array): void;
}
