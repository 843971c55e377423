import type { ServerHttp2Stream } from 'node:http2';

/** What happens to the stream of a call. */
export interface StreamEvents {
  taken(chunk: Buffer): void;
  /** All that the client sends has been taken. */
  received(): void;
  /** Reset, or its connection closed, before the answer was complete. */
  aborted(): void;
  /** Everything before the trailers is sent. */
  trailersWanted(): void;
}

const EVENTS = Symbol('events');
type AttachedStream = ServerHttp2Stream & { [EVENTS]: StreamEvents };

/** Listens for a call. The listeners are shared by all calls and find theirs on the stream: no closures for each. */
export function attach(stream: ServerHttp2Stream, events: StreamEvents): void {
  (stream as AttachedStream)[EVENTS] = events;
  stream.on('data', onData);
  stream.on('end', onEnd);
  stream.on('aborted', onAborted);
  stream.on('wantTrailers', onWantTrailers);
}

function onData(this: ServerHttp2Stream, chunk: Buffer): void {
  (this as AttachedStream)[EVENTS].taken(chunk);
}

function onEnd(this: ServerHttp2Stream): void {
  (this as AttachedStream)[EVENTS].received();
}

function onAborted(this: ServerHttp2Stream): void {
  (this as AttachedStream)[EVENTS].aborted();
}

function onWantTrailers(this: ServerHttp2Stream): void {
  (this as AttachedStream)[EVENTS].trailersWanted();
}
