import { ServingError } from '../../../core/index.js';
import type { Awaitable } from '../ports.js';
import type { HttpRequest, HttpResponse } from '../uws/uws-types.js';
import { BodyBuffer, bodyTooLarge } from './body-buffer.js';
import { Exchange, type ExchangeState } from './exchange.js';
import { type RequestHeaders, readHeaders } from './request-headers.js';
import { statusLine } from './status-line.js';

export interface WholeAnswer {
  /** Default 200. */
  readonly status?: number;
  /** Sent as JSON, or as it is where `contentType` is given. */
  readonly content: unknown;
  readonly contentType?: string;
}

/** A call that is no inference: its body is read whole, and answered then. `Input`: what its handler is given. */
export interface WholeCall<Input> {
  readonly headOnly: boolean;
  /** Undefined: it has none. */
  readonly maxBodyBytes: number | undefined;
  /** Health is told during drain too: whoever asks wants to know just that. */
  readonly duringDrain: boolean;
  /** What is said to who compresses its body. */
  readonly compressed: string;
  /** Names and values, in turn, that every answer but an error has. */
  readonly headers: readonly string[] | undefined;
  /**
   * Reads all it needs of the request now, since the library takes it back when its handler returns, and refuses what it
   * must. Gives what reads the body, which is gone when that returns; of a call without one it is empty.
   */
  readonly open: (headers: RequestHeaders) => (body: Uint8Array) => Input;
  readonly handle: (input: Input) => Awaitable<WholeAnswer>;
}

const NO_BODY = new Uint8Array(0);

/** Serves one call. */
export function startWholeCall<Input>(
  call: WholeCall<Input>,
  server: ExchangeState,
  response: HttpResponse,
  request: HttpRequest,
): void {
  const exchange = new Exchange(server, response, call.headOnly);
  exchange.watchCall(request);
  let framed = false;
  try {
    const headers = readHeaders(request);
    framed = true;
    if (server.inFlight.draining && !call.duringDrain)
      throw new ServingError('DRAINING', 'the server is draining and takes no new requests');
    const { contentLength, contentEncoding } = headers;
    const read = call.open(headers);
    if (call.maxBodyBytes === undefined) {
      void settle(call, exchange, read(NO_BODY));
      return;
    }
    if (contentEncoding !== '' && contentEncoding !== 'identity')
      throw new ServingError('UNSUPPORTED_MEDIA', call.compressed);
    if (contentLength > call.maxBodyBytes) throw bodyTooLarge(call.maxBodyBytes, contentLength);
    const body = new BodyBuffer({
      budget: server.budget,
      memory: undefined,
      maxBytes: call.maxBodyBytes,
      declaredBytes: contentLength,
      jsonBytes: 0,
    });
    response.onData((chunk, isLast) => {
      if (!exchange.open) return body.release();
      try {
        body.append(chunk, isLast);
        if (!isLast) return;
        const input = read(body.bytes());
        body.release();
        void settle(call, exchange, input);
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

/** Never rejects: every failure becomes the answer. What is answered at once leaves at once. */
async function settle<Input>(call: WholeCall<Input>, exchange: Exchange, input: Input): Promise<void> {
  try {
    const answered = call.handle(input);
    const { status, content, contentType } = answered instanceof Promise ? await answered : answered;
    exchange.answer({
      status: status === undefined ? undefined : statusLine(status),
      contentType: contentType ?? 'application/json',
      body: contentType === undefined ? JSON.stringify(content) : String(content),
      headers: call.headers,
    });
  } catch (thrown) {
    exchange.fail(thrown);
  }
}
