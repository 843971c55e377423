import { badRequest, clientError } from './client-error.js';
import type { InputsOf } from './http-client.js';
import type { InferAnswer, InferOptions } from './protocol.js';
import { randomId } from './random-id.js';
import type { AnyInputs, AnyOutputs } from './tensor.js';

/** Which sequence it is, and of which version of its model. */
export interface SequenceOptions {
  /** From 1 on, or a text of up to 128 characters, as the model takes it; default a random number. */
  readonly id?: number | bigint | string;
  readonly version?: number | string;
}

/** Of one request of a sequence. */
export interface SequenceStepOptions extends Omit<InferOptions, 'version'> {
  /** Whether it is the last; default false. */
  readonly end?: boolean;
}

/** Requests that wait for those before them, at most. */
const MAX_WAITING = 1024;

/**
 * Requests to a model that keeps a state between them. They reach it in the order of the calls: over a stream many at once, else each when
 * the one before it is answered. The first carries the mark of the start; where that fails, the next one does.
 */
export class Sequence<I extends InputsOf<I> = AnyInputs, O extends object = AnyOutputs> {
  readonly id: number | bigint | string;
  readonly #infer: (inputs: I, options: InferOptions) => Promise<InferAnswer>;
  readonly #keepsOrder: boolean;
  readonly #version: Pick<InferOptions, 'version'>;
  #begun = false;
  #over = false;
  #before: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** `keepsOrder`: what is sent in an order arrives in it. */
  constructor(
    infer: (inputs: I, options: InferOptions) => Promise<InferAnswer>,
    keepsOrder: boolean,
    { id, version }: SequenceOptions,
  ) {
    this.#infer = infer;
    this.#keepsOrder = keepsOrder;
    this.#version = version === undefined ? {} : { version };
    this.id = id ?? randomId();
  }

  /** One request of the sequence; `end: true` with the last. Rejects with a `PenstockError`. */
  async infer(inputs: I, { end = false, ...options }: SequenceStepOptions = {}): Promise<InferAnswer<O>> {
    if (this.#over) throw badRequest(`sequence ${this.id} is over`);
    if (this.#waiting >= MAX_WAITING)
      throw clientError('TOO_MANY_WAITING', `${this.#waiting} requests of sequence ${this.id} wait already`);
    this.#over = end;
    if (this.#keepsOrder) return (await this.#step(inputs, end, options)) as InferAnswer<O>;
    this.#waiting++;
    const answer = this.#before.then(() => {
      this.#waiting--;
      return this.#step(inputs, end, options);
    });
    // Its failure is its caller's; the next one has its turn either way.
    this.#before = answer.catch(() => {});
    return (await answer) as InferAnswer<O>;
  }

  async #step(inputs: I, end: boolean, options: InferOptions): Promise<InferAnswer> {
    const start = !this.#begun;
    this.#begun = true;
    const place = { sequence_id: this.id, sequence_start: start, sequence_end: end };
    try {
      const parameters = { ...options.parameters, ...place };
      return await this.#infer(inputs, { ...options, ...this.#version, parameters });
    } catch (thrown) {
      if (start) this.#begun = false;
      if (end) this.#over = false;
      throw thrown;
    }
  }
}
