import { ServingError } from '../../../../core/index.js';
import type { Call } from '../../../codec/index.js';
import { frameOf } from '../framing/frame.js';
import type { CallHandler } from '../framing/method.js';
import type { ServerCall } from '../framing/server-call.js';
import type { GrpcState } from '../grpc-options.js';
import type { OpenStreams } from '../open-streams.js';
import { type JobAnswer, type JobOwner, type Pairs, TextJob } from './text-job.js';
import { type TeiMessage, textMethod } from './text-methods.js';
import { TextStream } from './text-stream.js';

/** The handler of a call of text-embeddings-inference's services. */
export function textCall(call: Call, state: GrpcState, streams: OpenStreams): (surface: ServerCall) => CallHandler {
  const method = textMethod(call);
  const name = call.path.slice(1);
  if (!call.requestStream)
    return (surface) => new UnaryText(call, surface, { state, surface, name, method, protocol: 'grpc' });
  if (call.responseStream)
    return (surface) =>
      new TextStream(call, surface, streams, { state, surface, name, method, protocol: 'grpc_stream' });
  return (surface) =>
    new RankedStream(call, surface, streams, { state, surface, name, method, protocol: 'grpc_stream' });
}

type Parts = ConstructorParameters<typeof TextJob>[0];

/** A call with one answer. */
abstract class OneAnswer implements JobOwner {
  protected readonly call: Call;
  protected readonly surface: ServerCall;
  protected readonly job: TextJob;

  constructor(call: Call, surface: ServerCall, parts: Parts) {
    this.call = call;
    this.surface = surface;
    this.job = new TextJob(parts, this);
  }

  answered(_job: TextJob, { message, headers, trailers }: JobAnswer): void {
    this.surface.answer(frameOf(message), trailers, headers);
  }

  refused(_job: TextJob, error: ServingError, trailers: Pairs): void {
    this.surface.fail(error, trailers);
  }
}

class UnaryText extends OneAnswer implements CallHandler {
  message(bytes: Buffer): void {
    this.job.begin(bytes.byteLength, () => this.call.decode(bytes) as TeiMessage);
  }

  halfClosed(): void {}

  cancelled(): void {
    this.job.cancel();
  }
}

/** Texts of one stream that are ranked together, at most. */
const MOST_RANKED = 65_536;

interface RankedMessage extends Omit<TeiMessage, 'texts'> {
  readonly text: string;
}

/** `RerankStream`: a text a message, ranked together when the last has come; what else the messages say is that of the first. */
class RankedStream extends OneAnswer implements CallHandler {
  readonly #streams: OpenStreams;
  readonly #state: GrpcState;
  readonly #texts: string[] = [];
  #first: RankedMessage | undefined;
  /** Taken of the budget while texts come. */
  #bytes = 0;

  constructor(call: Call, surface: ServerCall, streams: OpenStreams, parts: Parts) {
    super(call, surface, parts);
    this.#streams = streams;
    this.#state = parts.state;
    streams.add(this);
  }

  message(bytes: Buffer): void {
    try {
      const message = this.call.decode(bytes) as RankedMessage;
      this.#first ??= message;
      this.#check(message, this.#first);
      this.#state.budget.acquire(bytes.byteLength);
      this.#bytes += bytes.byteLength;
      this.#texts.push(message.text);
    } catch (thrown) {
      this.#drop();
      this.job.begin(0, () => {
        throw thrown;
      });
    }
  }

  halfClosed(): void {
    const bytes = this.#bytes;
    const first = this.#first;
    this.#drop();
    this.job.begin(bytes, () => {
      if (first === undefined) throw new ServingError('MISSING_INPUT', 'expected a query and a text, no message came');
      return { ...first, texts: this.#texts };
    });
  }

  cancelled(): void {
    this.#drop();
    this.job.cancel();
  }

  /** No further texts are waited for. */
  drain(): void {
    this.#drop();
    this.surface.fail(new ServingError('DRAINING', 'the server is shutting down'));
  }

  /** One query, cut in one way: they are made tokens together. */
  #check(message: RankedMessage, first: RankedMessage): void {
    for (const field of ['query', 'truncate', 'truncation_direction'] as const) {
      if (message[field] !== first[field])
        throw new ServingError('MALFORMED_REQUEST', `'${field}': expected that of the first message in all of them`);
    }
    if (this.#texts.length === MOST_RANKED)
      throw new ServingError('SHAPE_MISMATCH', `expected at most ${MOST_RANKED} texts to rank, more came`);
  }

  #drop(): void {
    this.#streams.delete(this);
    this.#state.budget.release(this.#bytes);
    this.#bytes = 0;
    this.#first = undefined;
  }
}
