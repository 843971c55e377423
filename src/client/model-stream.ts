import { clientError, PenstockError } from './client-error.js';
import { partOf, severalParts } from './final-mark.js';
import type { InputsOf } from './http-client.js';
import { InFlight, type InFlightOptions } from './in-flight.js';
import { extrasOf, type InferMessage, inferMessage } from './infer-message.js';
import type { InferAnswer, InferOptions } from './protocol.js';
import { Sequence, type SequenceOptions } from './sequence.js';
import { closingText, type Socket } from './socket.js';
import { frameOf, readFrame } from './stream-frame.js';
import { type AnyInputs, type AnyOutputs, wireTensors } from './tensor.js';

/** What a stream does when its connection breaks. Requests in flight are lost either way, and never sent again. */
export interface ReconnectPolicy {
  /** Tries in a row, each after a longer pause. */
  readonly attempts: number;
  /** Before the first try, doubled for each further one; milliseconds, default 100. */
  readonly firstPauseMs?: number;
  /** Milliseconds, default 5,000. */
  readonly maxPauseMs?: number;
}

export interface StreamOptions extends InFlightOptions {
  /** Version of the model; default: the server picks, for each request. */
  readonly version?: number | string;
  /** Of each request, its waiting included, in milliseconds; 0 = no limit; default that of the client. */
  readonly timeoutMs?: number;
  /** Default: none, the stream ends with its connection. */
  readonly reconnect?: ReconnectPolicy;
}

/**
 * Requests to one model over a WebSocket, many in flight, answered as they finish. It connects when it is made; requests wait until
 * it has. A request that is aborted or late is no longer waited for, but the server finishes it: the protocol has no cancelling.
 */
export class ModelStream {
  readonly #open: () => Promise<Socket>;
  readonly #options: StreamOptions;
  readonly #requests: InFlight<InferMessage>;
  #socket: Socket | undefined;
  #state: 'connecting' | 'open' | 'pausing' | 'closing' | 'closed' = 'connecting';
  #tries = 0;
  #pause: ReturnType<typeof setTimeout> | undefined;
  #failure: PenstockError | undefined;

  constructor(open: () => Promise<Socket>, options: StreamOptions) {
    this.#open = open;
    this.#options = options;
    this.#requests = new InFlight(options, (_id, message) => this.#socket?.send(frameOf(message)));
    void this.#connect(); // tells by itself what comes of it
  }

  /** Requests sent and not answered. */
  get inFlight(): number {
    return this.#requests.sent;
  }

  /** One inference. Rejects with a `PenstockError`. */
  async infer<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    inputs: I,
    options: Omit<InferOptions, 'version'> = {},
  ): Promise<InferAnswer<O>> {
    if (this.#state === 'closing') throw clientError('ABORTED', 'the stream is closed');
    if (this.#state === 'closed') throw this.#failure ?? clientError('ABORTED', 'the stream is closed');
    const id = options.id ?? this.#requests.newId();
    const message = inferMessage(wireTensors(inputs), extrasOf({ ...options, id }));
    const { timeoutMs = this.#options.timeoutMs, signal } = options;
    return (await this.#requests.add(id, message, { timeoutMs, signal })) as InferAnswer<O>;
  }

  /** A sequence over this connection. Those that are not ended when it closes are over. */
  sequence<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs>(
    options: Pick<SequenceOptions, 'id'> = {},
  ): Sequence<I, O> {
    return new Sequence<I, O>((inputs, step) => this.infer(inputs, step), true, options);
  }

  /** Takes no more requests; resolves when those it has are answered and the connection is closed. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    if (this.#state !== 'pausing') {
      this.#state = 'closing';
      await this.#requests.idle();
    }
    this.#end(clientError('ABORTED', 'the stream is closed'));
  }

  /** Closes at once: what is in flight or waits is rejected with `ABORTED`, and its places on the server are freed. */
  abort(): void {
    this.#end(clientError('ABORTED', 'the stream was aborted'));
  }

  async #connect(): Promise<void> {
    if (this.#state === 'pausing') this.#state = 'connecting';
    let socket: Socket;
    try {
      socket = await this.#open();
    } catch (thrown) {
      this.#lost(clientError('UNREACHABLE', `no connection: ${String(thrown)}`, thrown));
      return;
    }
    let why = '';
    // Told before the closing, which comes in any case. Browsers do not say why.
    socket.onerror = ({ message }: { message?: string }) => {
      why = message ?? '';
    };
    if (this.#state === 'closed') {
      socket.close();
      return;
    }
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#tries = 0;
      if (this.#state === 'connecting') this.#state = 'open';
      this.#requests.open = true;
    };
    socket.onmessage = ({ data }: { data: string | ArrayBuffer }) => this.#receive(data);
    socket.onclose = (event: { code?: number; reason?: string }) => {
      this.#lost(clientError('UNREACHABLE', `the connection of the stream is gone (${closingText(event, why)})`));
    };
  }

  #receive(frame: string | ArrayBuffer): void {
    try {
      const { id, outcome } = readFrame(frame);
      // An error of nobody's: nobody could be told of it.
      if (id === undefined) this.#end(outcome as PenstockError);
      else if (outcome instanceof PenstockError) this.#requests.answered(id, outcome);
      else this.#answered(id, outcome);
    } catch (thrown) {
      this.#end(thrown as PenstockError);
    }
  }

  #answered(id: string, outcome: InferAnswer): void {
    const { answer, last } = partOf(outcome);
    if (last) this.#requests.answered(id, answer ?? severalParts());
    else this.#requests.failed(id, severalParts());
  }

  /** The connection broke, or did not come about. */
  #lost(error: PenstockError): void {
    if (this.#state === 'closed') return;
    this.#socket = undefined;
    const { attempts = 0, firstPauseMs = 100, maxPauseMs = 5000 } = this.#options.reconnect ?? {};
    if (this.#tries >= attempts || (this.#state === 'closing' && this.#requests.waiting === 0)) {
      this.#end(error);
      return;
    }
    this.#requests.lost(error);
    if (this.#state !== 'closing') this.#state = 'pausing';
    const pauseMs = Math.min(maxPauseMs, firstPauseMs * 2 ** this.#tries) * (0.5 + Math.random() / 2);
    this.#tries++;
    this.#pause = setTimeout(() => void this.#connect(), pauseMs);
  }

  #end(error: PenstockError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#failure = error;
    clearTimeout(this.#pause);
    this.#requests.stop(error);
    this.#socket?.close();
    this.#socket = undefined;
  }
}
