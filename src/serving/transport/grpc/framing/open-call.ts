import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { ERRORS, type Reason, ServingError, toServingError } from '../../../../core/index.js';
import { statusOf } from '../grpc-status.js';
import { failStream, stopReceiving } from './answer-head.js';
import { deadlineNsOf } from './grpc-timeout.js';
import { requestEncoding } from './message-encoding.js';
import type { CallContext, Method } from './method.js';
import { ServerCall } from './server-call.js';

/** In Node's documentation, though its type declaration lacks it: gRPC has no use for a `date` in every answer. */
type Undated = ServerHttp2Stream & { sendDate: boolean };

/** Begins a call, or answers it with why it cannot be one: HTTP's statuses for what is not gRPC, else gRPC's. */
export function openCall(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  methods: ReadonlyMap<string, Method>,
  context: CallContext,
): void {
  (stream as Undated).sendDate = false;
  // A stream that is reset is one way for a call to end, and `aborted` tells of it.
  stream.on('error', ignore);
  if (!isGrpc(headers['content-type'])) refuseHttp(stream, 'UNSUPPORTED_MEDIA');
  else if (headers[':method'] !== 'POST') refuseHttp(stream, 'METHOD_NOT_ALLOWED');
  else openGrpc(stream, headers, methods, context);
}

function openGrpc(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  methods: ReadonlyMap<string, Method>,
  context: CallContext,
): void {
  const method = methods.get(headers[':path'] as string);
  try {
    if (method === undefined)
      throw new ServingError('UNSUPPORTED', `no method ${JSON.stringify(headers[':path'])} here`);
    const deadlineNs = deadlineNsOf(headers['grpc-timeout'] as string | undefined, context.clock.nowNs());
    new ServerCall(stream, headers, method, context, deadlineNs, requestEncoding(headers));
  } catch (thrown) {
    const error = toServingError(thrown);
    method?.refused?.(error.reason, headers);
    failStream(stream, statusOf(error), false);
  }
}

function isGrpc(contentType: string | undefined): boolean {
  return contentType === 'application/grpc' || /^application\/grpc(?:[+;]|$)/i.test(contentType ?? '');
}

function refuseHttp(stream: ServerHttp2Stream, reason: Reason): void {
  stream.respond({ ':status': ERRORS[reason].http }, { endStream: true });
  stopReceiving(stream, false);
}

function ignore(): void {}
