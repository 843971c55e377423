/** So many bytes a second, and no more than a second's worth at once. */
export class ByteRate {
  readonly #bytesPerSecond: number;
  #left: number;
  #atNs: number;

  constructor(bytesPerSecond: number, nowNs: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#left = bytesPerSecond;
    this.#atNs = nowNs;
  }

  /** Takes `bytes` where they are there; nothing otherwise. */
  take(bytes: number, nowNs: number): boolean {
    const since = Math.max(0, nowNs - this.#atNs) / 1e9;
    this.#left = Math.min(this.#bytesPerSecond, this.#left + since * this.#bytesPerSecond);
    this.#atNs = nowNs;
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    return true;
  }
}
