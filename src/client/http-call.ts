import { PenstockError } from './client-error.js';
import { parsed } from './infer-message.js';
import { retryAfterMs } from './retry.js';
import type { TimeLimit } from './time-limit.js';

/** One call over HTTP. */
export interface Call {
  readonly method?: 'GET' | 'POST';
  readonly body?: Uint8Array<ArrayBuffer> | string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses beside 2xx whose bodies are answers. */
  readonly alsoStatus?: number;
}

/** An answer with its whole body. */
export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** A call whose body is an object as JSON. */
export function post(content: object): Call {
  return jsonCall(JSON.stringify(content));
}

/** A call whose body is JSON already. */
export function jsonCall(body: string): Call {
  return { body, headers: { 'content-type': 'application/json' } };
}

/** Sends a call, and the time that is left of it; the body of the answer is not read yet. Throws what it refuses with. */
export async function send(
  fetcher: typeof fetch,
  url: string,
  always: Readonly<Record<string, string>>,
  { method, body, headers, alsoStatus }: Call,
  { leftMs, signal }: TimeLimit,
): Promise<Response> {
  const told = Number.isFinite(leftMs) ? { 'x-request-timeout-ms': String(Math.max(1, Math.ceil(leftMs))) } : {};
  const reply = await fetcher(url, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { ...always, ...headers, ...told },
    signal,
    ...(body === undefined ? {} : { body }),
  });
  if (reply.ok || reply.status === alsoStatus) return reply;
  throw refusalOf(reply, new Uint8Array(await reply.arrayBuffer()));
}

function refusalOf({ status, headers }: Response, body: Uint8Array): PenstockError {
  return new PenstockError(messageOf(status, body), {
    status,
    reason: headers.get('x-penstock-reason') ?? '',
    retryAfterMs: retryAfterMs(headers.get('retry-after'), Date.now()),
  });
}

/** What a refusal says; of a proxy on the way too, which sends pages. */
function messageOf(status: number, body: Uint8Array): string {
  try {
    const { error } = parsed<{ error?: unknown }>(body);
    if (typeof error === 'string' && error !== '') return error;
  } catch {
    // Not the protocol's form.
  }
  const text = new TextDecoder().decode(body.subarray(0, 300)).trim();
  return text === '' ? `status ${status}` : `status ${status}: ${text}`;
}
