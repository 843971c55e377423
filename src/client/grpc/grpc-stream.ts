import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { clientError, PenstockError } from '../client-error.js';
import { partOf, severalParts } from '../final-mark.js';
import type { InputsOf } from '../http-client.js';
import { InFlight, type InFlightOptions } from '../in-flight.js';
import { extrasOf } from '../infer-message.js';
import type { InferAnswer, InferOptions } from '../protocol.js';
import { Sequence, type SequenceOptions } from '../sequence.js';
import { type AnyInputs, type AnyOutputs, wireTensors } from '../tensor.js';
import { failureOfCall } from './grpc-failure.js';
import { answerOf, requestMessage } from './messages.js';

export interface GrpcStreamOptions extends InFlightOptions {
  /** Of each request, its waiting included, in milliseconds; 0 = no limit; default that of the client. */
  readonly timeoutMs?: number;
}

// biome-ignore lint/suspicious/noExplicitAny: the answers' fields are those of the .proto file
export type StreamCall = ClientDuplexStream<object, any>;

/** Requests to any models over one `ModelStreamInfer` call, many in flight. It does not reconnect: when the call ends, so does the stream. */
export class GrpcStream {
  readonly #call: StreamCall;
  readonly #requests: InFlight<object>;
  readonly #timeoutMs: number | undefined;
  #ended: PenstockError | undefined;

  constructor(call: StreamCall, options: GrpcStreamOptions) {
    this.#call = call;
    this.#timeoutMs = options.timeoutMs;
    this.#requests = new InFlight(options, (_id, message) => call.write(message));
    this.#requests.open = true;
    call.on('data', ({ error_message: error, infer_response: answer }) => this.#receive(error, answer));
    call.on('error', (error: ServiceError) => this.#end(failureOfCall(error)));
    call.on('end', () => this.#end(clientError('UNREACHABLE', 'the server ended the stream')));
  }

  /** Requests sent and not answered. */
  get inFlight(): number {
    return this.#requests.sent;
  }

  /** One inference. Rejects with a `PenstockError`. */
  async infer<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    model: string,
    inputs: I,
    options: InferOptions = {},
  ): Promise<InferAnswer<O>> {
    if (this.#ended !== undefined) throw this.#ended;
    const id = options.id ?? this.#requests.newId();
    const message = requestMessage(model, options.version, wireTensors(inputs), extrasOf({ ...options, id }));
    const { timeoutMs = this.#timeoutMs, signal } = options;
    return (await this.#requests.add(id, message, { timeoutMs, signal })) as InferAnswer<O>;
  }

  /** A sequence over this call. */
  sequence<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    model: string,
    options: SequenceOptions = {},
  ): Sequence<I, O> {
    return new Sequence<I, O>((inputs, step) => this.infer(model, inputs, step), true, options);
  }

  /** Takes no more requests; resolves when those it has are answered. */
  async close(): Promise<void> {
    this.#ended ??= clientError('ABORTED', 'the stream is closed');
    await this.#requests.idle();
    this.#call.end();
  }

  /** Ends the call at once: what is in flight or waits is rejected with `ABORTED`, and cancelled on the server. */
  abort(): void {
    this.#end(clientError('ABORTED', 'the stream was aborted'));
    this.#call.cancel();
  }

  #receive(error: string, answer: Parameters<typeof answerOf>[0]): void {
    if (error !== '') {
      // A stream's errors are text alone: neither status nor reason stand in the message.
      this.#requests.answered(answer.id, new PenstockError(error, { status: 0, reason: '' }));
      return;
    }
    try {
      const { answer: one, last } = partOf(answerOf(answer));
      // The server does not say here when the parts end: the place is free at once.
      this.#requests.answered(answer.id, last && one !== undefined ? one : severalParts());
    } catch (thrown) {
      this.#requests.answered(answer.id, thrown as PenstockError);
    }
  }

  #end(error: PenstockError): void {
    this.#ended ??= error;
    this.#requests.stop(error);
  }
}
