import { constants, type ServerHttp2Stream } from 'node:http2';
import { ACCEPTED_ENCODINGS } from './message-encoding.js';

/** The beginning of every answer. */
export const ANSWER_HEADERS = {
  ':status': 200,
  'content-type': 'application/grpc+proto',
  'grpc-accept-encoding': ACCEPTED_ENCODINGS,
} as const;

/** Answers with nothing but a status (gRPC's Trailers-Only) and has the client stop sending where it has not yet. */
export function failStream(
  stream: ServerHttp2Stream,
  trailers: Readonly<Record<string, string>>,
  allReceived: boolean,
): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ...ANSWER_HEADERS, ...trailers }, { endStream: true });
  stopReceiving(stream, allReceived);
}

/** As RFC 9113 8.1 has it: the answer is complete, NO_ERROR tells a client that is still sending to stop. */
export function stopReceiving(stream: ServerHttp2Stream, allReceived: boolean): void {
  if (allReceived) return;
  stream.resume();
  // Not at once: the reset would overtake the answer, on Node 22 even one that is only headers.
  setImmediate(() => {
    if (!stream.closed && !stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
  });
}
