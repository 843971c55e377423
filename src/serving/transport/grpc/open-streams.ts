/** Streams that stay open until their client ends them; the server drains them when it stops. */
export type OpenStreams = Set<{ drain(): void }>;

/** Asks every open stream to end. A stream may leave the set while it is asked. */
export function drainStreams(streams: OpenStreams): void {
  for (const stream of [...streams]) stream.drain();
}
