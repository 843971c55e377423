/** A histogram as it travels between processes and into result files: filled buckets by number, counts beside them. */
export interface HistogramData {
  readonly buckets: readonly number[];
  readonly counts: readonly number[];
  readonly minUs: number;
  readonly maxUs: number;
}

/** Buckets in each power of two; a value is off by half a bucket at most: 0.4 %. */
const STEPS = 128;
const STEP_BITS = 7;
/** Times are counted in this unit, to 429 s (2 ** 32 units); what is above is counted as that. */
const UNITS_PER_US = 10;

/**
 * Latencies in log-linear buckets, as HdrHistogram has them: recording costs the same at any length of run and allocates
 * nothing; every quantile is within 0.4 %, or 0.1 us where that is more; least and greatest are exact.
 */
export class LatencyHistogram {
  readonly #counts = new Float64Array((32 - STEP_BITS + 1) * STEPS);
  #total = 0;
  #minUs = Number.POSITIVE_INFINITY;
  #maxUs = 0;

  record(us: number): void {
    const units = Math.min(0xffffffff, Math.max(0, Math.round(us * UNITS_PER_US)));
    this.#counts[bucketOf(units)]!++;
    this.#total++;
    if (us < this.#minUs) this.#minUs = us;
    if (us > this.#maxUs) this.#maxUs = us;
  }

  get count(): number {
    return this.#total;
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  /** The latency that the share `q` (0..1) of records does not exceed; NaN where there is none. */
  quantileUs(q: number): number {
    if (this.#total === 0) return Number.NaN;
    if (q >= 1) return this.#maxUs;
    const rank = Math.max(1, Math.ceil(q * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket]!;
      if (seen >= rank) return Math.min(this.#maxUs, Math.max(this.#minUs, middleOf(bucket) / UNITS_PER_US));
    }
    return this.#maxUs;
  }

  add(data: HistogramData): void {
    data.buckets.forEach((bucket, i) => {
      this.#counts[bucket]! += data.counts[i]!;
      this.#total += data.counts[i]!;
    });
    if (data.buckets.length === 0) return;
    this.#minUs = Math.min(this.#minUs, data.minUs);
    this.#maxUs = Math.max(this.#maxUs, data.maxUs);
  }

  data(): HistogramData {
    const buckets: number[] = [];
    const counts: number[] = [];
    this.#counts.forEach((count, bucket) => {
      if (count === 0) return;
      buckets.push(bucket);
      counts.push(count);
    });
    return { buckets, counts, minUs: this.#total === 0 ? 0 : this.#minUs, maxUs: this.#maxUs };
  }

  static of(data: HistogramData): LatencyHistogram {
    const histogram = new LatencyHistogram();
    histogram.add(data);
    return histogram;
  }
}

function bucketOf(units: number): number {
  if (units < STEPS) return units;
  const shift = 31 - Math.clz32(units) - STEP_BITS;
  return (shift + 1) * STEPS + ((units >>> shift) - STEPS);
}

function middleOf(bucket: number): number {
  if (bucket < STEPS) return bucket;
  const shift = Math.floor(bucket / STEPS) - 1;
  return ((bucket % STEPS) + STEPS + 0.5) * 2 ** shift - 0.5;
}
