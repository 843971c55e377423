import type { Metric } from 'prom-client';
import type { LabelName } from './label-vocabulary.js';
import type { Exemplar } from './latency/exemplars.js';

/** One sample: `name` is the family's, or with its suffix for a histogram's parts. */
export interface Sample {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Shown in OpenMetrics. */
  readonly exemplar?: Exemplar | undefined;
}

/**
 * A metric family whose samples are made when it is scraped, out of figures kept elsewhere. prom-client asks a registered
 * metric only for `get`; nothing is stored in it.
 */
export class Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly aggregator = 'sum';
  /** Of its samples, in the order of the catalogue; a histogram's `le` goes without saying. */
  readonly labels: readonly LabelName[];
  readonly #collect: () => Iterable<Sample>;

  constructor(
    name: string,
    type: Family['type'],
    help: string,
    collect: () => Iterable<Sample>,
    labels: readonly LabelName[] = [],
  ) {
    this.name = name;
    this.help = help;
    this.type = type;
    this.labels = labels;
    this.#collect = collect;
  }

  async get(): Promise<{ name: string; help: string; type: string; aggregator: string; values: Sample[] }> {
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: [...this.#collect()] };
  }

  /** For `Registry.registerMetric`, whose type knows only prom-client's own classes. */
  get registered(): Metric {
    return this as unknown as Metric;
  }
}

/** The samples of one histogram; `buckets` are the counts of each bucket, not yet cumulated, one more than `bounds`, as `exemplars`. */
export function* histogramSamples(
  name: string,
  labels: Readonly<Record<string, string>>,
  bounds: readonly number[],
  buckets: ArrayLike<number>,
  sum: number,
  exemplars: readonly (Exemplar | undefined)[] = [],
): Iterable<Sample> {
  let count = 0;
  for (let i = 0; i < bounds.length; i++) {
    count += buckets[i] as number;
    yield {
      metricName: `${name}_bucket`,
      labels: { ...labels, le: String(bounds[i]) },
      value: count,
      exemplar: exemplars[i],
    };
  }
  count += buckets[bounds.length] as number;
  yield {
    metricName: `${name}_bucket`,
    labels: { ...labels, le: '+Inf' },
    value: count,
    exemplar: exemplars[bounds.length],
  };
  yield { metricName: `${name}_sum`, labels, value: sum };
  yield { metricName: `${name}_count`, labels, value: count };
}
