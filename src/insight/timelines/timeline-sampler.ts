import type { InferenceRequest, InferenceResponse } from '../../core/index.js';
import type { WatchedRequest } from '../traces/watched-request.js';
import { LEFT, SEEN, type TimelineRule, type TimelineRules } from './timeline-rules.js';
import { detailsText, tensorText, timestampsText } from './timeline-text.js';

/** Timelines that the writer has not taken, at most, of one thread; those beyond are dropped. */
const MOST_PENDING = 4096;

/** The timeline of one request, as the threads hand it to who writes. */
export interface TimelineNews {
  /** Of the rule that chose it. */
  readonly key: number;
  /** JSON objects with commas between. */
  readonly text: string;
  /** Timelines that were dropped before it, because the writer was behind. */
  readonly dropped: number;
}

/** Chooses the requests of one thread whose timelines are written, and makes their texts. */
export class TimelineSampler {
  readonly #post: (news: TimelineNews) => void;
  #rules: TimelineRules | undefined;
  #pending = 0;
  #dropped = 0;

  constructor(post: (news: TimelineNews) => void) {
    this.#post = post;
  }

  /** From the next request on. */
  goBy(rules: TimelineRules): void {
    const { all, models } = rules;
    const traces = all !== undefined || [...models.values()].some((rule) => rule !== null);
    this.#rules = traces ? rules : undefined;
  }

  /** Whether any request may be chosen. */
  get active(): boolean {
    return this.#rules !== undefined;
  }

  /** The writer has taken one. */
  taken(): void {
    this.#pending--;
  }

  /** Undefined: it is not chosen. The request's tensors are valid. */
  sample(request: InferenceRequest): Timeline | undefined {
    if (this.#rules === undefined) return undefined;
    const { all, models, ids } = this.#rules;
    const own = models.get(request.model);
    const rule = own === undefined ? all : (own ?? undefined);
    if (rule === undefined || !chooses(rule)) return undefined;
    if (this.#pending >= MOST_PENDING) {
      this.#dropped++;
      return undefined;
    }
    this.#pending++;
    const id = Atomics.add(new Int32Array(ids), 0, 1) + 1;
    return new Timeline(id, rule, request, (text) => {
      this.#post({ key: rule.key, text, dropped: this.#dropped });
      this.#dropped = 0;
    });
  }
}

/** Counts over all threads: every `rate`th, while some are left. */
function chooses({ counters, rate }: TimelineRule): boolean {
  const counts = new Int32Array(counters);
  const left = Atomics.load(counts, LEFT);
  if (left === 0 || (Atomics.add(counts, SEEN, 1) + 1) % rate !== 0) return false;
  for (let now = left; now !== 0; ) {
    const was = now < 0 ? now : Atomics.compareExchange(counts, LEFT, now, now - 1);
    if (was === now) return true;
    now = was;
  }
  // Another thread took the last one.
  return false;
}

/** The timeline of a request that was chosen. */
export class Timeline {
  readonly #id: number;
  readonly #rule: TimelineRule;
  readonly #write: (text: string) => void;
  #tensors = '';

  constructor(id: number, rule: TimelineRule, request: InferenceRequest, write: (text: string) => void) {
    this.#id = id;
    this.#rule = rule;
    this.#write = write;
    if (!rule.tensors) return;
    for (const tensor of request.inputs) this.#tensors += `,${tensorText(id, 'TENSOR_QUEUE_INPUT', tensor)}`;
  }

  /** The response's tensors are valid. */
  answering({ outputs }: InferenceResponse): void {
    if (!this.#rule.tensors) return;
    for (const tensor of outputs) this.#tensors += `,${tensorText(this.#id, 'TENSOR_BACKEND_OUTPUT', tensor)}`;
  }

  ended(watched: WatchedRequest, endedNs: number): void {
    const times = this.#rule.timestamps ? timestampsText(this.#id, watched, endedNs) : '';
    this.#write(`${detailsText(this.#id, watched)}${times}${this.#tensors}`);
  }
}
