import type { LatencySketchObject } from '../../core/index.js';
import { FIRST_KEY, GAMMA, SKETCH_BINS, sketchValueS } from './sketch-bins.js';

/** How durations are distributed: counts by bin (`sketch-bins`), merged from however many threads and replicas. */
export class LatencySketch {
  readonly bins: Float64Array;

  /** Takes the array: `SKETCH_BINS` counts. */
  constructor(bins: Float64Array = new Float64Array(SKETCH_BINS)) {
    this.bins = bins;
  }

  get count(): number {
    let count = 0;
    for (const one of this.bins) count += one;
    return count;
  }

  /**
   * The duration that the share `quantile` (0 to 1) of all does not exceed, in seconds; NaN where there are none. As in
   * DDSketch: the value of rank `quantile * (count - 1)`, with a relative error of at most 1 %.
   */
  quantileS(quantile: number): number {
    const { count } = this;
    if (count === 0) return Number.NaN;
    const rank = quantile * (count - 1);
    let below = 0;
    for (let bin = 0; bin < SKETCH_BINS; bin++) {
      below += this.bins[bin] as number;
      if (below > rank) return sketchValueS(bin);
    }
    return sketchValueS(SKETCH_BINS - 1);
  }

  /** Adds what the other one counted: the same as one sketch that had seen all. */
  merge(other: LatencySketch): void {
    for (let bin = 0; bin < SKETCH_BINS; bin++) (this.bins[bin] as number) += other.bins[bin] as number;
  }

  /** What was counted after `before`, an earlier state of the same sketch; all of it where that is not one (a restart). */
  since(before: LatencySketch): LatencySketch {
    const bins = this.bins.map((count, bin) => count - (before.bins[bin] as number));
    return bins.some((count) => count < 0) ? this : new LatencySketch(bins);
  }

  toObject(): LatencySketchObject {
    const { first, counts } = this.#occupied();
    return {
      mapping: { gamma: GAMMA, indexOffset: 0, interpolation: 'NONE' },
      positiveValues: { contiguousBinCounts: counts, contiguousBinIndexOffset: FIRST_KEY + first },
      zeroCount: 0,
    };
  }

  /** `DDSketch.proto` in bytes, for any DDSketch of Datadog's libraries. */
  toProtobuf(): Uint8Array {
    const { first, counts } = this.#occupied();
    const mapping = [...doubleField(1, GAMMA)];
    const offset = zigZag(FIRST_KEY + first);
    const packed = new Uint8Array(new Float64Array(counts).buffer);
    const store = [...lengthPrefix(2, packed.byteLength), ...packed, 3 << 3, ...varint(offset)];
    // Their reader wants the store of negative values too: an empty one.
    const negative = lengthPrefix(3, 0);
    return Uint8Array.from([
      ...lengthPrefix(1, mapping.length),
      ...mapping,
      ...lengthPrefix(2, store.length),
      ...store,
      ...negative,
    ]);
  }

  /** Reads what `toObject` of any replica gave. Throws `RangeError` where it has other bins, or is none. */
  static fromObject(object: LatencySketchObject): LatencySketch {
    const { gamma, indexOffset } = object.mapping;
    if (gamma !== GAMMA || indexOffset !== 0)
      throw new RangeError(`a sketch of gamma ${gamma} and offset ${indexOffset} came, expected ${GAMMA} and 0`);
    const { contiguousBinCounts: counts, contiguousBinIndexOffset: key } = object.positiveValues;
    const sketch = new LatencySketch();
    for (const [i, count] of counts.entries()) {
      const bin = Math.min(Math.max(key + i - FIRST_KEY, 0), SKETCH_BINS - 1);
      if (!(Number.isFinite(count) && count >= 0)) throw new RangeError(`a bin of a sketch counts ${count}`);
      (sketch.bins[bin] as number) += count;
    }
    (sketch.bins[0] as number) += object.zeroCount;
    return sketch;
  }

  /** From the first bin that counts to the last one. */
  #occupied(): { readonly first: number; readonly counts: readonly number[] } {
    const first = this.bins.findIndex((count) => count > 0);
    if (first === -1) return { first: 0, counts: [] };
    return { first, counts: [...this.bins.subarray(first, this.bins.findLastIndex((count) => count > 0) + 1)] };
  }
}

function doubleField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = (field << 3) | 1;
  new DataView(bytes.buffer).setFloat64(1, value, true);
  return bytes;
}

function lengthPrefix(field: number, bytes: number): number[] {
  return [(field << 3) | 2, ...varint(bytes)];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

function zigZag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}
