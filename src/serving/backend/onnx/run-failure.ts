import { ServingError, toServingError } from '../../../core/index.js';
import type { OrtSession } from './session.js';
import { OrtFailure, publicText } from './status.js';

/** What ONNX Runtime says where a preallocated output has another shape than the model's result (before, or in the run). */
const OUTPUT_SHAPE_TEXT =
  /invalid dimensions for output|but the computed output shape for this run|shape verification failed/i;

/** Whether a run failed because an output was bound with another shape than it has. */
export function deniesOutputShape({ message }: OrtFailure): boolean {
  return OUTPUT_SHAPE_TEXT.test(message);
}

/** What the callers of a run are told of what it failed with. */
export function runFailure(thrown: unknown, session: OrtSession, cancelled: boolean): ServingError {
  if (!(thrown instanceof OrtFailure)) return toServingError(thrown);
  if (cancelled) return cancelledError(thrown);
  const text = publicText(thrown.message, session.folders);
  if (deniesOutputShape(thrown)) {
    return new ServingError('OUTPUT_SHAPE_MISMATCH', `an output's shape is not what the model's config says: ${text}`, {
      cause: thrown,
    });
  }
  return new ServingError('BACKEND_FAILED', `ONNX Runtime failed to run the model: ${text}`, { cause: thrown });
}

export function cancelledError(cause?: unknown): ServingError {
  return new ServingError('CLIENT_CANCELLED', 'the execution was cancelled', { cause });
}
