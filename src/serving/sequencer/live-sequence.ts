import { type MoveTable, type SequenceId, StateMachine, type Tensor } from '../../core/index.js';
import type { HeldRequest } from './held-request.js';

/** A row of an instance's batches (`direct`), or one of its candidates (`oldest`). */
export interface Slot {
  readonly instance: number;
  readonly index: number;
}

export type Phase = 'backlog' | 'busy' | 'idle' | 'over';

/** `backlog`: waits for a slot. `busy`: has one, and requests. `idle`: has one, and none. */
const PHASES: MoveTable<Phase> = {
  backlog: ['busy', 'over'],
  busy: ['idle', 'over'],
  idle: ['busy', 'over'],
  over: [],
};

/** One sequence, from its first request until it has ended. */
export class LiveSequence {
  readonly id: SequenceId;
  /** The id as the model is told it; undefined: it is not. */
  readonly idTensor: Tensor | undefined;
  readonly phase = new StateMachine(PHASES, 'backlog');
  /** Requests that wait for those before them, in the order they came. */
  waiting = new Set<HeldRequest>();
  /** The one that its instance's queue has. */
  current: HeldRequest | undefined;
  /** While `busy` and `idle`. */
  slot: Slot | undefined;
  /** What the next request finds; of the initial ones until the model has answered. */
  states: readonly Tensor[];
  /** It takes requests that do not begin it anew: the last that came did not end it. */
  open = false;
  /** Its first request was answered: a model that keeps its own state has some. */
  begun = false;

  constructor(id: SequenceId, idTensor: Tensor | undefined, states: readonly Tensor[]) {
    this.id = id;
    this.idTensor = idTensor;
    this.states = states;
  }

  /** The request whose turn is next. */
  get head(): HeldRequest | undefined {
    for (const first of this.waiting) return first;
    return undefined;
  }
}
