import type { IncomingHttpHeaders } from 'node:http2';
import {
  type CallerTraits,
  ForwardedHeaders,
  type RequestTrace,
  type RequestWatch,
  type WantedTraits,
} from '../../../core/index.js';
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

/**
 * What routes want to know of the caller, and the metadata that `forward` matches. Throws MALFORMED_REQUEST where a key that
 * matches is reserved.
 */
export function callerTraits(
  wanted: WantedTraits | undefined,
  forward: RegExp | undefined,
  call: CallFacts,
): CallerTraits | undefined {
  if (wanted === undefined && forward === undefined) return undefined;
  const headers: Record<string, string> = Object.create(null);
  for (const name of wanted?.headers ?? []) {
    const value = textOf(call.headers[name]);
    if (value !== undefined && value !== '') headers[name] = value;
  }
  const client = wanted?.client === true ? addressOfPeer(call.peer) : '';
  return forward === undefined ? { headers, client } : { headers, client, forwarded: forwardedOf(forward, call) };
}

/** Keys of HTTP/2 and of gRPC itself, which are no metadata, and keys of bytes. */
const NO_METADATA = /^(?::|grpc-|te$|content-type$)|-bin$/;

function forwardedOf(forward: RegExp, { headers }: CallFacts) {
  const forwarded = new ForwardedHeaders(forward);
  for (const [name, value] of Object.entries(headers)) {
    if (NO_METADATA.test(name)) continue;
    for (const one of Array.isArray(value) ? value : [value ?? '']) forwarded.add(name, one);
  }
  return forwarded.found;
}

function textOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
