import type { ServerOptions } from 'node:http2';

/**
 * Bytes a client may send ahead, on a call and on a connection. With the 64 KiB of HTTP/2 a 600 KB tensor waits ten round
 * trips: measured, 720 us of CPU a request against 500. Not more than the sockets' own buffers hold: Node stops reading a
 * connection while a write to it is under way, so two Node processes that both have wide windows and send each other large
 * tensors could wait for each other for ever (seen at 8 MiB with 128 requests of 600 KB in flight, never up to 2 MiB).
 */
export const WINDOW_BYTES = 1024 * 1024;

/**
 * Bytes of a tensor that a client may send in one frame. With the 16 KiB of HTTP/2 a 600 KB tensor comes in 46 pieces from a client
 * that heeds this (gRPC's C core: Python, C++), each an event of its stream; so in 12, and Node reads 64 KiB at a time anyway. Other
 * calls of the connection wait for the rest of a frame.
 */
const FRAME_BYTES = 256 * 1024;

/** All metadata of a call together: a token and tracing fit many times. */
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * What one connection may do. A connection that resets its calls by the thousand (rapid reset), has the server reset them,
 * never ends its header block, or floods it with settings, pings or empty frames is ended by nghttp2, at its own limits
 * (test/e2e/grpc-attacks.test.ts). Node does not tell of some of these ends and reads no more, so that it would not even see the
 * client go: the next ping closes the socket (decisions/0015).
 */
export function serverLimits(maxConcurrentStreams: number, maxMessageBytes: number): ServerOptions {
  return {
    settings: {
      initialWindowSize: WINDOW_BYTES,
      maxFrameSize: FRAME_BYTES,
      maxConcurrentStreams,
      maxHeaderListSize: MAX_HEADER_BYTES,
      enablePush: false,
    },
    maxHeaderListPairs: 128,
    maxSettings: 32,
    maxSessionInvalidFrames: 100,
    // A client may send many calls before it knows how many are allowed.
    maxSessionRejectedStreams: 1000,
    maxOutstandingPings: 10,
    // Megabytes. Counts answers that wait for a slow reader; past it new calls of that connection are refused.
    maxSessionMemory: Math.max(64, Math.ceil((8 * maxMessageBytes) / 1e6)),
  };
}
