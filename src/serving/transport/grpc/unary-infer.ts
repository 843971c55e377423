import type { handleUnaryCall } from '@grpc/grpc-js';
import { type InferenceHandle, type InferenceReply, ServingError, toServingError } from '../../../core/index.js';
import { decodeModelInfer, encodeModelInferResponse } from '../../codec/index.js';
import { deadlineNsOf } from './call-deadline.js';
import type { GrpcState } from './grpc-options.js';
import { failureOf, statusOf } from './grpc-status.js';

/**
 * ModelInfer: bytes in, bytes out. The request's tensors are views of the message, which grpc-js leaves alone after
 * handing it over; the answer is encoded inside `done`, while its tensors are valid.
 */
export function unaryInfer(state: GrpcState): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const receivedNs = state.nowNs();
    const bytes = call.request;
    let accepted = false;
    let settled = false;

    const settle = () => {
      settled = true;
      if (!accepted) return;
      state.budget.release(bytes.byteLength);
      state.inFlight.leave();
    };
    const fail = (thrown: unknown) => {
      settle();
      callback(statusOf(failureOf(thrown, 'ModelInfer', state.log)), null);
    };
    const reply: InferenceReply = {
      done(response) {
        let encoded: Buffer;
        try {
          encoded = encodeModelInferResponse(response);
        } catch (thrown) {
          fail(thrown);
          return;
        }
        settle();
        callback(null, encoded);
      },
      failed: fail,
    };

    let handle: InferenceHandle;
    try {
      if (state.inFlight.draining) throw new ServingError('DRAINING', 'the server is shutting down');
      state.budget.acquire(bytes.byteLength);
      accepted = true;
      state.inFlight.enter();
      const deadlineNs = deadlineNsOf(call.getDeadline(), state.clock);
      handle = state.inference.infer(decodeModelInfer(bytes, { deadlineNs, receivedNs, nowNs: state.nowNs }), reply);
    } catch (thrown) {
      state.onRefused(toServingError(thrown).reason);
      fail(thrown);
      return;
    }
    if (settled) return;
    if (call.cancelled) handle.cancel();
    else call.once('cancelled', () => handle.cancel());
  };
}
