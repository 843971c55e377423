import type { IncomingHttpHeaders } from 'node:http2';
import type { CallerTraits, RequestTrace, RequestWatch, WantedTraits } from '../../../core/index.js';
import { addressOfPeer } from '../client-address.js';
import type { CallFacts } from './grpc-caller.js';

/**
 * What the metadata of a call say of its requests: tenant (by the key that names it; empty = none does) and criticality. A key
 * that comes twice is both texts with a comma between, which is nobody's name.
 */
export function callerIn(headers: IncomingHttpHeaders, tenantHeader: string) {
  return {
    tenantHeader: tenantHeader === '' ? undefined : textOf(headers[tenantHeader]),
    criticalityHeader: textOf(headers['x-penstock-criticality']),
  };
}

/** Begins to watch a request that came with these metadata. */
export function traceIn(
  watch: RequestWatch | undefined,
  call: CallFacts,
  protocol: 'grpc' | 'grpc_stream',
  receivedNs: number,
  bytes: number,
): RequestTrace | undefined {
  if (watch === undefined) return undefined;
  const { traceparent, tracestate, 'user-agent': userAgent } = call.headers;
  const trace = watch.begin(protocol, receivedNs, textOf(traceparent) ?? '', textOf(tracestate) ?? '', userAgent ?? '');
  if (trace === undefined) return undefined;
  trace.requestBytes = bytes;
  if (watch.wantsClient) trace.client = addressOfPeer(call.peer);
  return trace;
}

/** What routes want to know of the caller. */
export function callerTraits(wanted: WantedTraits | undefined, call: CallFacts): CallerTraits | undefined {
  if (wanted === undefined) return undefined;
  const headers: Record<string, string> = Object.create(null);
  for (const name of wanted.headers) {
    const value = textOf(call.headers[name]);
    if (value !== undefined && value !== '') headers[name] = value;
  }
  return { headers, client: wanted.client ? addressOfPeer(call.peer) : '' };
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
