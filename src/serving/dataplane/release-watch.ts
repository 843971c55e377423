import { summarise } from '../../comparison/index.js';
import type { InferenceRequest, ModelSpec, Reason, ReleaseFacts } from '../../core/index.js';
import type { MemberDone } from '../batcher/index.js';
import type { Shadows, ShadowTarget } from './shadows.js';

/** What a route decision says of what follows the outcome of a request. */
export interface Assignment {
  /** `ReleaseSplit.number` of the split that assigned it; 0 = none did. */
  readonly split: number;
  readonly shadows: readonly ShadowTarget[];
  /** Whether its answer is told of all the same. */
  readonly judged: boolean;
}

/** Elements of each output that a summary looks at. */
const SUMMARISED = 4096;
/** Longer ids of requests are not kept. */
const ID_LENGTH = 256;

/** Sees the outcomes of requests that a split assigned, or that have shadows: notes facts of the former, sends the latter. */
export class ReleaseWatch {
  readonly #facts: ReleaseFacts;
  readonly #shadows: Shadows;

  constructor(facts: ReleaseFacts, shadows: Shadows) {
    this.#facts = facts;
    this.#shadows = shadows;
  }

  /** Before a request is answered: its transport gives its memory back then, and copies need it longer. */
  answering({ lease }: InferenceRequest, { shadows }: Assignment): void {
    if (shadows.length > 0) lease?.retain();
  }

  /** After it was answered, while its outputs are there. */
  answered(
    request: InferenceRequest,
    { split, shadows, judged }: Assignment,
    { id, maxBatchSize }: ModelSpec,
    done: MemberDone,
    totalNs: number,
  ): void {
    const batched = maxBatchSize > 0;
    if (split !== 0 || judged) {
      this.#facts.note({
        kind: 'settled',
        ...id,
        split,
        requestId: idOf(request),
        reason: undefined,
        totalNs,
        execution: done.execution,
        deviceNs: done.deviceNs,
        output: summarise(done.outputs, batched, SUMMARISED),
      });
    }
    if (shadows.length > 0) this.#shadows.send(request, done, batched, shadows);
  }

  /** What has no answer has nothing to be compared with. */
  failed(
    request: InferenceRequest,
    { split }: Assignment,
    { id }: ModelSpec,
    reason: Reason,
    execution: number,
    totalNs: number,
  ): void {
    if (split === 0) return;
    this.#facts.note({
      kind: 'settled',
      ...id,
      split,
      requestId: idOf(request),
      reason,
      totalNs,
      execution,
      deviceNs: 0,
      output: undefined,
    });
  }
}

function idOf({ id }: InferenceRequest): string {
  return id.length > ID_LENGTH ? '' : id;
}
