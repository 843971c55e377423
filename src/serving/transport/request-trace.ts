import type { InferenceRequest, LogFields, RequestTrace, RequestWatch, WatchedProtocol } from '../../core/index.js';

/** Header of an answer that names the trace it belongs to, as the drafts of W3C Trace Context have it; and the parameter of that name. */
export const TRACERESPONSE = 'traceresponse';

/** Joins a decoded request with its trace. */
export function joinTrace(request: InferenceRequest, trace: RequestTrace | undefined): void {
  if (trace === undefined) return;
  trace.decoded(request);
  request.trace = trace;
}

/** One message of a connection may name a context of its own, in its parameters `traceparent` and `tracestate`: it wins over the connection's. */
export function traceOfMessage(
  watch: RequestWatch | undefined,
  { parameters, receivedNs }: InferenceRequest,
  protocol: WatchedProtocol,
  ofConnection: RequestTrace | undefined,
): RequestTrace | undefined {
  const { traceparent, tracestate } = parameters;
  if (typeof traceparent !== 'string') return ofConnection;
  const state = typeof tracestate === 'string' ? tracestate : '';
  if (ofConnection === undefined) return watch?.begin(protocol, receivedNs, traceparent, state, '');
  ofConnection.adopt(traceparent, state);
  return ofConnection;
}

/** Which request a line of the log is about, as far as it is known. */
export function aboutRequest(requestId: string, trace: RequestTrace | undefined): LogFields {
  return { ...(requestId === '' ? {} : { requestId }), ...(trace === undefined ? {} : { traceId: trace.traceId }) };
}
