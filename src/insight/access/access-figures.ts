/** Why a line is not in the access log: too many waited to be made, or its file or pipe did not take it. */
export const ACCESS_DROPS = ['busy', 'write_failed'] as const;
export type AccessDrop = (typeof ACCESS_DROPS)[number];

/** Lines that are not in the access log, counted in memory that other threads read. */
export class AccessFigures {
  readonly #counts: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#counts = new Float64Array(memory);
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(ACCESS_DROPS.length * Float64Array.BYTES_PER_ELEMENT);
  }

  dropped(cause: AccessDrop, lines: number): void {
    (this.#counts[ACCESS_DROPS.indexOf(cause)] as number) += lines;
  }
}

/** What is told of the access log; counters since the start. */
export interface AccessSums {
  readonly written: number;
  readonly dropped: Readonly<Record<AccessDrop, number>>;
}

/** The sums over all threads. */
export function accessDrops(memories: Iterable<SharedArrayBuffer>): AccessSums['dropped'] {
  const all = [...memories].map((memory) => new Float64Array(memory));
  const sum = (place: number) => all.reduce((count, counts) => count + (counts[place] as number), 0);
  return Object.fromEntries(ACCESS_DROPS.map((cause, place) => [cause, sum(place)])) as AccessSums['dropped'];
}
