import { ServingError } from '../../../core/index.js';
import type { AdminPlane, Caller } from '../../controlplane/index.js';
import { BodyBuffer, bodyTooLarge } from '../http/body-buffer.js';
import { callerOf } from '../http/caller.js';
import { Exchange, type ExchangeState } from '../http/exchange.js';
import { readHeaders } from '../http/request-headers.js';
import { statusLine } from '../http/status-line.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import type { AdminInput, AdminRoute } from './admin-route.js';

/** What all calls of one admin server share. */
export interface AdminState extends ExchangeState {
  readonly admin: AdminPlane;
}

/** Largest body: documents that people write. */
const MAX_BODY_BYTES = 1024 * 1024;

/** Serves one call: its right first, then the rest. */
export function startAdminCall(
  route: AdminRoute,
  server: AdminState,
  response: HttpResponse,
  request: HttpRequest,
): void {
  const exchange = new Exchange(server, response);
  let framed = false;
  try {
    const { contentLength, contentEncoding, authorization, relayed } = readHeaders(request);
    framed = true;
    if (server.inFlight.draining) throw new ServingError('DRAINING', 'the server is draining and takes no new calls');
    const caller = callerOf(response.getRemoteAddress(), authorization, relayed);
    const segments = pathSegments(route, request);
    server.admin.check(route.call, caller, [...segments.values()].join('/'));
    const input = inputOf(server.admin, caller, segments, request.getQuery());
    if (route.method === 'GET') {
      void settle(route, exchange, { ...input, body: '' });
      return;
    }
    if (contentEncoding !== '' && contentEncoding !== 'identity')
      throw new ServingError('UNSUPPORTED_MEDIA', 'bodies of the admin API may not be compressed');
    if (contentLength > MAX_BODY_BYTES) throw bodyTooLarge(MAX_BODY_BYTES, contentLength);
    const { budget } = server;
    const body = new BodyBuffer({
      budget,
      memory: undefined,
      maxBytes: MAX_BODY_BYTES,
      declaredBytes: contentLength,
      jsonBytes: 0,
    });
    response.onData((chunk, isLast) => {
      if (!exchange.open) return body.release();
      try {
        body.append(chunk, isLast);
        if (!isLast) return;
        const text = textOf(body.bytes());
        body.release();
        void settle(route, exchange, { ...input, body: text });
      } catch (thrown) {
        body.release();
        exchange.fail(thrown, !isLast && contentLength < 0);
      }
    });
    // A client that leaves in the middle of its body: no further chunk comes to notice it.
    exchange.onGone = () => body.release();
  } catch (thrown) {
    if (framed) exchange.fail(thrown);
    else exchange.refuseFraming(thrown);
  }
}

/** Never rejects: every failure becomes the answer. */
async function settle(route: AdminRoute, exchange: Exchange, input: AdminInput): Promise<void> {
  try {
    const { status, content, contentType } = await route.handle(input);
    exchange.answer({
      status: status === undefined ? undefined : statusLine(status),
      contentType: contentType ?? 'application/json',
      body: contentType === undefined ? JSON.stringify(content) : String(content),
      headers: ['Cache-Control', 'no-store'],
    });
  } catch (thrown) {
    exchange.fail(thrown);
  }
}

/** As they were sent, by the names of the pattern. */
function pathSegments({ pattern }: AdminRoute, request: HttpRequest): ReadonlyMap<string, string> {
  const names = [...pattern.matchAll(/:([a-z]+)/g)].map(([, name]) => name as string);
  return new Map(names.map((name, index) => [name, request.getParameter(index) ?? '']));
}

/** All that is read of the request now: the library takes it back when its handler returns. */
function inputOf(
  admin: AdminPlane,
  caller: Caller,
  segments: ReadonlyMap<string, string>,
  query: string,
): Omit<AdminInput, 'body'> {
  const parameters = new URLSearchParams(query);
  return {
    admin,
    caller,
    path: (name) => decodeOnce(name, segments.get(name) ?? ''),
    query: (name) => parameters.get(name) ?? undefined,
  };
}

function decodeOnce(name: string, segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ServingError('MALFORMED_REQUEST', `the ${name} in the path is not valid percent-encoded UTF-8`);
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw new ServingError('MALFORMED_REQUEST', 'the request body is not UTF-8', { cause: thrown });
  }
}
