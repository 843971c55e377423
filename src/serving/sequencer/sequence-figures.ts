import type { QueueMetrics } from '../../core/index.js';

/** How sequences left. */
export type SequenceEnd = 'ended' | 'expired' | 'broken';

/** Counts of a version's sequences, and its depth over all queues: what waits here and what waits for each instance. */
export class SequenceFigures {
  begun = 0;
  restarted = 0;
  readonly left: Record<SequenceEnd, number> = { ended: 0, expired: 0, broken: 0 };
  readonly #metrics: QueueMetrics;
  readonly #depths: number[] = [];
  #held = 0;
  #told = 0;

  constructor(metrics: QueueMetrics) {
    this.#metrics = metrics;
  }

  /** Requests that wait, here or for an instance. */
  get depth(): number {
    let depth = this.#held;
    for (const one of this.#depths) depth += one;
    return depth;
  }

  /** Requests that wait for those before them in their sequence, or for a slot. */
  get held(): number {
    return this.#held;
  }

  set held(requests: number) {
    this.#held = requests;
    this.#tell();
  }

  /** Where the queue of an instance leaves its figures. */
  ofInstance(instance: number): QueueMetrics {
    this.#depths[instance] = 0;
    return {
      executed: (...figures) => this.#metrics.executed(...figures),
      setQueueDepth: (requests) => {
        this.#depths[instance] = requests;
        this.#tell();
      },
    };
  }

  #tell(): void {
    const { depth } = this;
    if (depth === this.#told) return;
    this.#told = depth;
    this.#metrics.setQueueDepth(depth);
  }
}
