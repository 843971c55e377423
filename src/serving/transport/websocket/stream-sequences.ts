import type { InferenceHandle, SequenceId, SequencePart } from '../../../core/index.js';

/** Sequences that a connection remembers; of more the oldest end by being idle, as on every other protocol. */
const MOST = 1024;

/** The sequences that a connection began and did not end. */
export class StreamSequences {
  readonly #endings = new Map<SequenceId, () => void>();

  /** A request of a sequence was handed in. */
  sent({ id, start, end }: SequencePart, { ending }: InferenceHandle): void {
    if (end) this.#endings.delete(id);
    if (!start || end || ending === undefined) return;
    this.#endings.delete(id);
    this.#endings.set(id, ending);
    if (this.#endings.size > MOST) for (const oldest of this.#endings.keys()) return void this.#endings.delete(oldest);
  }

  /** The connection is gone: nobody goes on with them. */
  end(): void {
    const endings = [...this.#endings.values()];
    this.#endings.clear();
    for (const end of endings) end();
  }
}
