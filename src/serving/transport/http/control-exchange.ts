import { ServingError } from '../../../core/index.js';
import type { Caller } from '../../controlplane/index.js';
import type { Awaitable } from '../ports.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import { BodyBuffer, bodyTooLarge } from './body-buffer.js';
import { callerOf } from './caller.js';
import { Exchange } from './exchange.js';
import type { HttpState } from './http-options.js';
import { isVersioned, type ModelPath, modelPath } from './model-path.js';
import { readHeaders } from './request-headers.js';
import { statusLine } from './status-line.js';

/** What the handler of a control route is given. */
export interface ControlCallInput {
  readonly server: HttpState;
  /** Throws `MALFORMED_REQUEST`; only for routes whose pattern names a model. */
  readonly path: ModelPath;
  readonly caller: Caller;
  /** The body's JSON object; empty where there was no body, or the route takes text. */
  readonly body: Readonly<Record<string, unknown>>;
  /** The body of a route that takes text; else empty. */
  readonly text: string;
}

export interface ControlAnswer {
  /** Default 200. */
  readonly status?: number;
  /** Sent as JSON, or as it is where `contentType` is given. */
  readonly content: unknown;
  readonly contentType?: string;
}

export interface ControlRoute {
  readonly method: 'GET' | 'POST';
  readonly pattern: string;
  /** Health is told during drain too: whoever asks wants to know just that. */
  readonly duringDrain?: boolean;
  /** Its body is no JSON object: the handler reads `text`, of at most so many bytes. */
  readonly maxTextBytes?: number;
  readonly handle: (input: ControlCallInput) => Awaitable<ControlAnswer>;
}

/** Serves one call that is not an inference. */
export function startControl(
  route: ControlRoute,
  server: HttpState,
  response: HttpResponse,
  request: HttpRequest,
  headOnly: boolean,
): void {
  const exchange = new Exchange(server, response, headOnly);
  let framed = false;
  try {
    const { contentLength, contentEncoding, authorization, relayed } = readHeaders(request);
    framed = true;
    if (server.inFlight.draining && route.duringDrain !== true) {
      throw new ServingError('DRAINING', 'the server is draining and takes no new requests');
    }
    const path = route.pattern.includes(':model') ? modelPath(request, isVersioned(route.pattern)) : NO_PATH;
    const caller = callerOf(response.getRemoteAddress(), authorization, relayed);
    if (route.method === 'GET') {
      void settle(route, exchange, { server, path, caller, body: NO_BODY, text: '' });
      return;
    }
    if (contentEncoding !== '' && contentEncoding !== 'identity') {
      throw new ServingError('UNSUPPORTED_MEDIA', 'only inference requests may be compressed');
    }
    const maxBytes = Math.min(server.maxInputBytes, route.maxTextBytes ?? server.maxInputBytes);
    if (contentLength > maxBytes) throw bodyTooLarge(maxBytes, contentLength);
    const { budget } = server;
    const body = new BodyBuffer({ budget, memory: undefined, maxBytes, declaredBytes: contentLength, jsonBytes: 0 });
    response.onData((chunk, isLast) => {
      if (!exchange.open) return body.release();
      try {
        body.append(chunk, isLast);
        if (!isLast) return;
        const takesText = route.maxTextBytes !== undefined;
        const text = takesText ? textOf(body.bytes()) : '';
        const parsed = takesText ? NO_BODY : parseBody(body.bytes());
        body.release();
        void settle(route, exchange, { server, path, caller, body: parsed, text });
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

const NO_PATH: ModelPath = Object.freeze({ model: '', version: undefined });
const NO_BODY: Readonly<Record<string, unknown>> = Object.freeze({});

/** Never rejects: every failure becomes the answer. */
async function settle(route: ControlRoute, exchange: Exchange, input: ControlCallInput): Promise<void> {
  try {
    const answered = route.handle(input);
    const { status, content, contentType } = answered instanceof Promise ? await answered : answered;
    exchange.answer({
      status: status === undefined ? undefined : statusLine(status),
      contentType: contentType ?? 'application/json',
      body: contentType === undefined ? JSON.stringify(content) : String(content),
    });
  } catch (thrown) {
    exchange.fail(thrown);
  }
}

function parseBody(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes.byteLength === 0) return NO_BODY;
  let parsed: unknown;
  try {
    parsed = JSON.parse(textOf(bytes));
  } catch (thrown) {
    throw new ServingError('MALFORMED_REQUEST', 'the request body is not JSON in UTF-8', { cause: thrown });
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw new ServingError('MALFORMED_REQUEST', 'the request body is not a JSON object');
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw new ServingError('MALFORMED_REQUEST', 'the request body is not text in UTF-8', { cause: thrown });
  }
}
