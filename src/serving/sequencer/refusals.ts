import { type ModelSpec, type SequenceId, ServingError, versionKey } from '../../core/index.js';

// The first three are worded as Triton's `sequence_batch_scheduler.cc` words them: clients and tests look for it.

/** The request is in no sequence, and its model has nothing else. */
export function withoutId({ id }: ModelSpec): ServingError {
  return new ServingError(
    'MALFORMED_REQUEST',
    `inference request to model '${id.model}' must specify a non-zero or non-empty correlation ID`,
  );
}

/** No such sequence is alive: it never began, has ended, or was idle for too long. */
export function notStarted({ id }: ModelSpec, sequence: SequenceId): ServingError {
  return new ServingError(
    'MALFORMED_REQUEST',
    `inference request for sequence ${sequence} to model '${id.model}' must specify the START flag on the first request of the sequence`,
  );
}

export function severalRows({ id }: ModelSpec, rows: number): ServingError {
  return new ServingError(
    'SHAPE_MISMATCH',
    `inference request to model '${id.model}' must specify batch-size 1 due to requirements of sequence batcher, got ${rows}`,
  );
}

export function draining(spec: ModelSpec): ServingError {
  return new ServingError('DRAINING', `${versionKey(spec.id)} takes no more requests: it is being unloaded`);
}

/** The drain's time was up. */
export function cutOff(spec: ModelSpec): ServingError {
  return new ServingError('DRAINING', `${versionKey(spec.id)} was unloaded before the request was answered`);
}

export function queueFull(used: number, bound: number): ServingError {
  return new ServingError(
    'QUEUE_FULL',
    `the queue is full: ${used} requests of sequences are not answered yet, at most ${bound} may be`,
  );
}

export function lateOnArrival(lateNs: number): ServingError {
  return new ServingError(
    'DEADLINE_EXCEEDED',
    `the deadline had passed ${inMs(lateNs)} ms before the request could be queued`,
  );
}

/** The model does not come to an end. */
export function askedTooOften(most: number): ServingError {
  return new ServingError(
    'BACKEND_FAILED',
    `the model was run ${most} times for the request and asks for another run; at most ${most} are made (max_iterations)`,
  );
}

/** Before its turn came. */
export function deadlinePassed(sequence: SequenceId, waitedNs: number): ServingError {
  return new ServingError(
    'DEADLINE_EXCEEDED',
    `the deadline passed in the queue after ${inMs(waitedNs)} ms: requests of sequence ${sequence} were before it`,
  );
}

/** Between two runs of it: its caller had not taken what the runs before gave. */
export function deadlineBetween(runs: number, passedNs: number): ServingError {
  return new ServingError(
    'DEADLINE_EXCEEDED',
    `the deadline passed after ${inMs(passedNs)} ms and ${runs} runs, while the caller did not take their responses`,
  );
}

/** What waited behind a first request that failed. */
export function notBegun(sequence: SequenceId): ServingError {
  return new ServingError(
    'CONFLICT',
    `sequence ${sequence} has not begun: its first request failed; begin it again with the START flag`,
  );
}

export function cancelled(): ServingError {
  return new ServingError('CLIENT_CANCELLED', 'the client cancelled the request');
}

/** What waited behind a request that was cancelled: as in Triton, the sequence ends with it. */
export function cancelledBefore(sequence: SequenceId): ServingError {
  return new ServingError('CLIENT_CANCELLED', `sequence ${sequence} was cancelled with a request before this one`);
}

/** The instance that had the sequence's state is not the same any more. */
export function stateLost(sequence: SequenceId): ServingError {
  return new ServingError(
    'EXECUTOR_LOST',
    `sequence ${sequence} is over: the instance that kept its state was lost; begin it again with the START flag`,
  );
}

function inMs(ns: number): string {
  return String(Math.round(ns / 1e3) / 1e3);
}
