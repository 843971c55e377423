import type { DataType } from './data-type.js';
import type { Tensor } from './tensor.js';

/** A correlation id: an integer from 1 (beyond 2^53 a bigint), or a text that is not empty. `1` and `'1'` are two ids. */
export type SequenceId = number | bigint | string;

/** The place of a request in a sequence, as Triton's sequence extension has it. */
export interface SequencePart {
  readonly id: SequenceId;
  /** It begins the sequence; what went before under the same id is over. */
  readonly start: boolean;
  /** It ends the sequence. */
  readonly end: boolean;
}

/** What a model is told of a request's place beside its inputs: Triton's `CONTROL_SEQUENCE_*`. */
export type SequenceControlKind = 'start' | 'end' | 'ready' | 'corrid';

/** An input of a model that clients do not send: one element a row. */
export interface SequenceControl {
  readonly name: string;
  readonly kind: SequenceControlKind;
  readonly dataType: DataType;
  /** One element each, as the model has them; `corrid`: empty. */
  readonly falseData: Uint8Array;
  readonly trueData: Uint8Array;
}

/** A tensor that the server keeps for each sequence from one of its requests to the next (implicit state). */
export interface SequenceState {
  readonly inputName: string;
  readonly outputName: string;
  readonly dataType: DataType;
  /** Less the batch axis; -1 = any size. */
  readonly dims: readonly number[];
  /** What a sequence begins with: `inputName`, fixed shape, with a batch axis of 1 where the model has one. */
  readonly initial: Tensor;
}

/** How the sequences of a version are scheduled: Triton's `ModelSequenceBatching`, completed with its defaults. */
export interface SequencePlan {
  /** `direct`: a sequence owns a row of its instance's batches. `oldest`: the oldest sequences are batched as their requests come. */
  readonly strategy: 'direct' | 'oldest';
  /** Sequences that an instance serves at once; the others wait. */
  readonly slotsPerInstance: number;
  /** A sequence none of whose requests came or ran for so long is over. */
  readonly maxIdleUs: number;
  readonly controls: readonly SequenceControl[];
  readonly states: readonly SequenceState[];
  /** Bytes that the states of one sequence may have; an answer with more ends it. */
  readonly maxStateBytes: number;
  /** A request is run again for as long as the model asks for it; absent: once. */
  readonly iterative?: Iterations | undefined;
}

/** How a request is run again and again: Triton's iterative sequences. */
export interface Iterations {
  /** Output of the model by which it asks: BOOL, one element a row. */
  readonly output: string;
  /** Runs of one request; a model that asks for more fails it. */
  readonly most: number;
}

/** The live sequences of a version, for people and metrics. */
export interface SequencesReport {
  readonly strategy: SequencePlan['strategy'];
  /** Over all instances. */
  readonly slots: number;
  readonly slotsInUse: number;
  /** Sequences that wait for a slot. */
  readonly backlog: number;
  /** Sequences that hold a slot and have no request now. */
  readonly idle: number;
  readonly stateBytes: number;
  /** Since the version serves. */
  readonly begun: number;
  readonly ended: number;
  readonly restarted: number;
  readonly expired: number;
  /** Ended by a request that failed to begin them, a cancellation, a lost instance or a drain. */
  readonly broken: number;
}
