import { ServingError, type TimelineLevel, type TraceChanges, type TraceSettings } from '../../core/index.js';

/** What a thread samples requests by. Counters are shared by all threads. */
export interface TimelineRule {
  /** Names it to who writes. */
  readonly key: number;
  readonly timestamps: boolean;
  readonly tensors: boolean;
  readonly rate: number;
  /** Requests seen, and traces left (-1 = without an end): `SEEN`, `LEFT`. */
  readonly counters: SharedArrayBuffer;
}

/** All rules in force; a model without one of its own goes by `all`. */
export interface TimelineRules {
  readonly all: TimelineRule | undefined;
  /** `null`: such a model is not traced. */
  readonly models: ReadonlyMap<string, TimelineRule | null>;
  /** Where identifiers of traces are counted, over all threads. */
  readonly ids: SharedArrayBuffer;
}

/** Places in `TimelineRule.counters`. */
export const SEEN = 0;
export const LEFT = 1;

/** No more models than this have settings of their own. */
const MOST_MODELS = 4096;

type Values = Omit<TraceSettings, 'file'>;
type Specified = { -readonly [Name in keyof Values]?: Values[Name] };

interface Entry {
  readonly specified: Specified;
  readonly values: Values;
  readonly rule: TimelineRule | undefined;
}

/**
 * Triton's trace settings (`tracer.cc`): those of the start, those for all models over them, those of single models over these. What
 * is cleared falls back to what is below. Each change makes a new rule, which counts from its beginning.
 */
export class TimelineBook {
  readonly #file: string;
  readonly #start: Values;
  readonly #ids = new SharedArrayBuffer(4);
  readonly #models = new Map<string, Entry>();
  #all: Entry;
  #lastKey = 0;

  /** Throws MALFORMED_REQUEST where the settings cannot be. */
  constructor({ file, ...start }: TraceSettings) {
    this.#file = file;
    this.#start = start;
    this.#all = this.#entry({}, start);
  }

  settings(model: string | undefined): TraceSettings {
    const { values, rule } = (model === undefined ? undefined : this.#models.get(model)) ?? this.#all;
    const left = rule === undefined ? values.count : (Atomics.load(new Int32Array(rule.counters), LEFT) as number);
    return { ...values, count: left, file: this.#file };
  }

  /** Throws MALFORMED_REQUEST where they cannot be, and then nothing has changed. */
  change(model: string | undefined, changes: TraceChanges): void {
    if (model === undefined) {
      const all = this.#entry(merged(this.#all.specified, changes), this.#start);
      const models = [...this.#models].map(
        ([name, { specified }]) => [name, this.#entry(specified, all.values)] as const,
      );
      this.#all = all;
      for (const [name, entry] of models) this.#models.set(name, entry);
      return;
    }
    const before = this.#models.get(model);
    const specified = merged(before?.specified ?? {}, changes);
    if (Object.keys(specified).length === 0) {
      this.#models.delete(model);
      return;
    }
    if (before === undefined && this.#models.size >= MOST_MODELS) {
      throw wrong(`${MOST_MODELS} models have trace settings of their own, as many as may`);
    }
    this.#models.set(model, this.#entry(specified, this.#all.values));
  }

  /** For the threads. */
  rules(): TimelineRules {
    const models = new Map([...this.#models].map(([name, { rule }]) => [name, rule ?? null]));
    return { all: this.#all.rule, models, ids: this.#ids };
  }

  /** What the rule of a key was made of, for as long as it is in force. */
  valuesOf(key: number): Values | undefined {
    const entry = [this.#all, ...this.#models.values()].find(({ rule }) => rule?.key === key);
    return entry?.values;
  }

  #entry(specified: Specified, below: Values): Entry {
    const values: Values = { ...below, ...specified };
    if (values.level.length === 0) return { specified, values, rule: undefined };
    if (values.rate === 0) throw wrong('Attempting to set invalid trace setting :sample rate must be non-zero');
    if (this.#file === '') {
      throw wrong(
        'Attempting to set invalid trace setting :trace file name is not given (--trace-config triton,file=PATH at the start)',
      );
    }
    const counters = new SharedArrayBuffer(8);
    new Int32Array(counters)[LEFT] = values.count;
    const has = (level: TimelineLevel) => values.level.includes(level);
    const key = ++this.#lastKey;
    return {
      specified,
      values,
      rule: { key, timestamps: has('TIMESTAMPS'), tensors: has('TENSORS'), rate: values.rate, counters },
    };
  }
}

function merged(specified: Specified, changes: TraceChanges): Specified {
  const next: Record<string, unknown> = { ...specified };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete next[name];
    else if (value !== undefined) next[name] = value;
  }
  return next as Specified;
}

function wrong(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
