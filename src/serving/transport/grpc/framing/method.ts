import type { IncomingHttpHeaders } from 'node:http2';
import type {
  Clock,
  ErrorView,
  Lease,
  LeaseSource,
  Log,
  Offload,
  Reason,
  RequestWatch,
} from '../../../../core/index.js';
import type { ServerCall } from './server-call.js';
import type { UnreadAnswers } from './unread-answers.js';

/** What a method does with one call. After `cancelled`, or once the call was ended, nothing more comes. */
export interface CallHandler {
  /**
   * A whole message, which is the handler's from now on: where it lies in pooled memory (`Method.pooled`), until the handler
   * has released it. Where the request is no stream it comes exactly once.
   */
  message(bytes: Buffer, lease: Lease | undefined): void;
  /** The client sends no more messages. */
  halfClosed(): void;
  /** Nobody waits any more: the client cancelled or is gone, its deadline passed, or it broke the protocol. */
  cancelled(): void;
}

export interface Method {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestStream: boolean;
  /** Its messages may lie in pooled memory, which its handlers release. */
  readonly pooled: boolean;
  start(call: ServerCall): CallHandler;
  /** Told of calls and messages that end here, before the handler saw them, and of the call's metadata. */
  readonly refused?: ((reason: Reason, headers: IncomingHttpHeaders) => void) | undefined;
  /** Told of the whole call; absent where its handler tells of each message. */
  readonly watch?: RequestWatch | undefined;
}

/** What all calls of a server share. */
export interface CallContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly offload: Offload | undefined;
  readonly memory: LeaseSource | undefined;
  /** Of a message, before and after decompression. */
  readonly maxMessageBytes: number;
  readonly unread: UnreadAnswers;
  /** How errors look to clients; undefined: as they are. */
  readonly errors?: ErrorView | undefined;
}
