import type { ServingError } from '../../core/index.js';
import type { Entry } from './entry.js';

/**
 * The search for the request that makes its batch fail: the batch is run again in halves, a half that fails in halves of its
 * own, so that only the guilty request gets the error. It gives up where halves fail and none succeeds (then it is not the
 * data), and after as many runs as one guilty request needs at most.
 */
export class Isolation {
  #runsLeft: number;
  #failed = 0;
  #succeeded = 0;

  constructor(members: number) {
    this.#runsLeft = 2 * Math.ceil(Math.log2(members)) + 2;
  }

  succeeded(): void {
    this.#succeeded++;
  }

  /** The parts to run again of a run that failed; none where the search ends here. */
  parts(entries: readonly Entry[]): readonly (readonly Entry[])[] {
    this.#failed++;
    const hopeless = this.#failed > 2 && this.#succeeded === 0;
    if (entries.length < 2 || hopeless || this.#runsLeft < 2) return [];
    this.#runsLeft -= 2;
    const half = entries.length >> 1;
    return [entries.slice(0, half), entries.slice(half)];
  }
}

/** Whether one request's data may be to blame; not where the run was cancelled, its lane lost, or the mistake is ours. */
export function mayBeData(error: ServingError): boolean {
  return error.reason === 'BACKEND_FAILED';
}

/** A part of a failed batch that waits for an instance. */
export interface Part {
  readonly entries: readonly Entry[];
  readonly isolation: Isolation;
}
