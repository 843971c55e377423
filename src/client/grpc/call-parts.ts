import type { ServiceError } from '@grpc/grpc-js';
import { PenstockError } from '../client-error.js';
import { partOf } from '../final-mark.js';
import type { InferAnswer } from '../protocol.js';
import type { Parts } from '../streamed.js';
import type { TimeLimit } from '../time-limit.js';
import { failureOfCall } from './grpc-failure.js';
import type { StreamCall } from './grpc-stream.js';
import { answerOf } from './messages.js';

/** The parts of one answer over a call of its own, which is cancelled with it; not reading it is how the model is made to wait. */
export async function* callParts(
  open: (limit: TimeLimit) => StreamCall,
  message: object,
  limit: TimeLimit,
): Parts<InferAnswer> {
  const call = open(limit);
  const cancel = () => call.cancel();
  limit.signal.addEventListener('abort', cancel);
  // The loop tells it; after a cancel there is none.
  call.on('error', () => {});
  try {
    call.end(message);
    for await (const { error_message: error, infer_response: response } of call) {
      // Of servers that do not end the stream with an error when they are asked to.
      if (error !== '') throw new PenstockError(error, { status: 0, reason: '' });
      const { answer } = partOf(answerOf(response));
      if (answer !== undefined) yield answer;
    }
  } catch (thrown) {
    throw thrown instanceof PenstockError ? thrown : failureOfCall(thrown as ServiceError);
  } finally {
    limit.signal.removeEventListener('abort', cancel);
    cancel();
  }
}
