import { answerReflection, type Call, type ReflectionRequest } from '../../codec/index.js';
import { frameOf } from './framing/frame.js';
import type { CallHandler } from './framing/method.js';
import type { ServerCall } from './framing/server-call.js';
import type { GrpcState } from './grpc-options.js';
import { failureOf } from './grpc-status.js';
import type { OpenStreams } from './open-streams.js';

/** gRPC server reflection, for one of its published versions: an answer a request, one at a time. */
export function reflection(call: Call, state: GrpcState, streams: OpenStreams): (surface: ServerCall) => CallHandler {
  return (surface) => {
    const end = () => {
      streams.delete(stream);
      surface.end();
    };
    const stream = { drain: end };
    streams.add(stream);
    return {
      message(bytes) {
        try {
          const answer = answerReflection(call.decode(bytes) as ReflectionRequest, state.streamForm);
          surface.pause();
          surface.write(frameOf(call.encode(answer)), () => surface.resume());
        } catch (thrown) {
          streams.delete(stream);
          surface.fail(failureOf(thrown, call.name, state.log));
        }
      },
      halfClosed: end,
      cancelled: () => void streams.delete(stream),
    };
  };
}
