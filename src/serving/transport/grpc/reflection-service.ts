import type { handleBidiStreamingCall } from '@grpc/grpc-js';
import { answerReflection, type Call, type ReflectionRequest } from '../../codec/index.js';
import type { GrpcState } from './grpc-options.js';
import { failureOf, statusOf } from './grpc-status.js';
import type { OpenStreams } from './open-streams.js';

/** gRPC server reflection, for one of its published versions: an answer a request, one at a time. */
export function reflection(
  call: Call,
  state: GrpcState,
  streams: OpenStreams,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (surface) => {
    const stream = { drain: () => surface.end() };
    streams.add(stream);
    surface.once('close', () => streams.delete(stream));
    surface.on('data', (bytes: Buffer) => {
      try {
        surface.pause();
        const answer = answerReflection(call.decode(bytes) as ReflectionRequest);
        surface.write(call.encode(answer), () => surface.resume());
      } catch (thrown) {
        surface.emit('error', statusOf(failureOf(thrown, call.name, state.log)));
      }
    });
    surface.once('end', () => surface.end());
  };
}
