import {
  type InferenceHandle,
  type RequestTrace,
  type RouteMark,
  ServingError,
  toServingError,
} from '../../../../core/index.js';
import { teiStatus } from '../../../codec/index.js';
import { asksToExplain, explained } from '../../explain.js';
import type { CallReply, EncodedAnswer, Infer } from '../../http/form/infer-form.js';
import { joinTrace, TRACERESPONSE } from '../../request-trace.js';
import type { ServerCall } from '../framing/server-call.js';
import type { GrpcState } from '../grpc-options.js';
import { failureOf } from '../grpc-status.js';
import { callerIn, callerTraits, traceIn } from '../request-metadata.js';
import type { TeiContext, TeiMessage, TextMethod } from './text-methods.js';

/** Names and values of metadata. */
export type Pairs = Readonly<Record<string, string>>;

/** What is answered to one message. */
export interface JobAnswer {
  readonly message: Uint8Array;
  /** Before the answer, as text-embeddings-inference has it, and after it. */
  readonly headers: Pairs;
  readonly trailers: Pairs;
}

/** Where its outcome goes: one of the two, once. */
export interface JobOwner {
  answered(job: TextJob, answer: JobAnswer): void;
  refused(job: TextJob, error: ServingError, trailers: Pairs): void;
}

/** How messages of a method are taken. */
export interface JobParts {
  readonly state: GrpcState;
  readonly surface: ServerCall;
  readonly name: string;
  readonly method: TextMethod;
  readonly protocol: 'grpc' | 'grpc_stream';
}

/** Metadata that names the model, where there are several: text-embeddings-inference has one, and its messages no place for it. */
const MODEL = 'x-penstock-model';

/** One message of `tei.v1`, or all of a stream that has one answer: from its bytes to its outcome, by the path of all texts. */
export class TextJob implements CallReply {
  readonly #parts: JobParts;
  readonly #owner: JobOwner;
  readonly #abort = new AbortController();
  #handle: InferenceHandle | undefined;
  /** Taken of the budget; undefined before, and once it is settled. */
  #bytes: number | undefined;
  #trace: RequestTrace | undefined;
  #model = '';

  constructor(parts: JobParts, owner: JobOwner) {
    this.#parts = parts;
    this.#owner = owner;
  }

  get wanted(): boolean {
    return !this.#parts.surface.ended;
  }

  /** Takes `bytes` of the budget until its outcome; `read` gives the message, or throws what is wrong with it. */
  begin(bytes: number, read: () => TeiMessage): void {
    const { state, surface, method, protocol } = this.#parts;
    const { nowNs, inFlight, budget, watch } = state;
    const receivedNs = nowNs();
    if (method.kind === 'inference') this.#trace = traceIn(watch, surface, protocol, receivedNs, bytes);
    try {
      if (inFlight.draining) throw new ServingError('DRAINING', 'the server is shutting down');
      budget.acquire(bytes);
      this.#bytes = bytes;
      inFlight.enter();
      // Settles by itself: every failure is told to the owner.
      void this.#run(read(), this.#context(receivedNs));
    } catch (thrown) {
      this.#refuse(thrown);
    }
  }

  cancel(): void {
    this.#abort.abort();
    if (this.#handle !== undefined) this.#handle.cancel();
    else if (this.#bytes !== undefined)
      this.failed(new ServingError('CLIENT_CANCELLED', 'the client cancelled the request'));
  }

  done({ response, body, headers = [] }: EncodedAnswer): void {
    this.#settle();
    const asked = asksToExplain(this.#parts.surface.headers['x-penstock-explain']);
    const traced = this.#trace?.answering(response, asked);
    const trailers = { ...response.mark.metadata, ...(asked ? byName(explained(response)) : {}), ...named(traced) };
    const message = (body ?? new Uint8Array()) as Uint8Array;
    this.#owner.answered(this, { message, headers: byName(headers), trailers });
    this.#trace?.ended(message.byteLength);
  }

  failed(thrown: unknown, mark?: RouteMark): void {
    this.#settle();
    const { state, surface, name } = this.#parts;
    const error = failureOf(thrown, name, state.log, '', this.#trace);
    const traced = this.#trace?.failing(surface.failure ?? error, mark, false);
    this.#owner.refused(this, teiStatus(error), { ...mark?.metadata, ...named(traced) });
    this.#trace?.ended(0);
  }

  async #run(message: TeiMessage, context: TeiContext): Promise<void> {
    const { method } = this.#parts;
    try {
      if (method.kind === 'answer') this.#tell(await method.answer(message, context));
      else {
        const call = await method.begin(message, context);
        // The client may have gone meanwhile.
        if (this.#bytes === undefined) return;
        const handle = call.begin(this.#infer, this);
        if (this.#bytes !== undefined) this.#handle = handle;
      }
    } catch (thrown) {
      if (this.#bytes !== undefined) this.#refuse(thrown);
    }
  }

  /** What no model was run for. */
  #tell(message: Buffer): void {
    if (this.#bytes === undefined) return;
    this.#settle();
    this.#owner.answered(this, { message, headers: {}, trailers: {} });
  }

  readonly #infer: Infer = (request, reply) => {
    joinTrace(request, this.#trace);
    if (this.#trace !== undefined) this.#trace.model = request.model;
    return this.#parts.state.inference.infer(request, reply);
  };

  #context(receivedNs: number): TeiContext {
    const { state, surface } = this.#parts;
    const { headers, deadlineNs } = surface;
    const { specs, texts, offload, nowNs, control } = state;
    if (texts === undefined || offload === undefined)
      throw new ServingError('UNSUPPORTED', 'texts are not served here');
    const model = headers[MODEL];
    return {
      model: typeof model === 'string' ? model : '',
      version: undefined,
      deadlineNs,
      receivedNs,
      nowNs,
      ...callerIn(headers, state.tenantHeader),
      caller: callerTraits(state.inference.wanted, state.forward, surface),
      server: { specs, texts, offload },
      signal: () => this.#abort.signal,
      serverVersion: () => control.serverMetadata(),
    };
  }

  #refuse(thrown: unknown): void {
    const { state, method } = this.#parts;
    if (method.kind === 'inference') state.onRefused(toServingError(thrown).reason);
    this.failed(thrown);
  }

  #settle(): void {
    this.#handle = undefined;
    if (this.#bytes === undefined) return;
    const { budget, inFlight } = this.#parts.state;
    budget.release(this.#bytes);
    this.#bytes = undefined;
    inFlight.leave();
  }
}

function named(traced: string | undefined): Pairs {
  return traced === undefined ? {} : { [TRACERESPONSE]: traced };
}

function byName(pairs: readonly string[]): Pairs {
  const named: Record<string, string> = {};
  for (let i = 0; i + 1 < pairs.length; i += 2) named[pairs[i] as string] = pairs[i + 1] as string;
  return named;
}
