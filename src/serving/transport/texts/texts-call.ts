import {
  type InferenceHandle,
  type InferenceRequest,
  type InferenceResponse,
  type RouteMark,
  type ServingError,
  toServingError,
} from '../../../core/index.js';
import type { CallReply, DecodedCall, Infer } from '../http/form/infer-form.js';

/** One answer made of the inferences of several texts. */
export interface TextsCall<T> {
  /** The request of the text of that number; `version`: that of the others', where it came to another one. */
  readonly request: (index: number, version: number | undefined) => InferenceRequest;
  readonly count: number;
  /** Most of them in flight: a long list leaves room in the queue for others. */
  readonly mostInFlight: number;
  /** What is kept of a response, whose outputs are valid only now. What it throws fails the call. */
  readonly take: (response: InferenceResponse, index: number) => T;
  /** The body, of what was kept in the order of the texts. */
  readonly encode: (taken: readonly T[]) => Uint8Array | string;
  /** What is told beside it: names and values in turn. */
  readonly headers?: () => readonly string[];
}

/**
 * A call whose texts are requests of their own, a bounded number at a time. The first that fails cancels the others and fails the
 * call when all have settled. Where a split of routes sent them to several versions, those that did not come to the version of the
 * first are asked of it again: vectors of two versions cannot be compared.
 */
export function textsCall<T>(call: TextsCall<T>): DecodedCall {
  return { begin: (infer, reply) => new RunningTexts(call, infer, reply) };
}

class RunningTexts<T> implements InferenceHandle {
  readonly #call: TextsCall<T>;
  readonly #infer: Infer;
  readonly #reply: CallReply;
  readonly #taken: T[] = [];
  readonly #versions: number[] = [];
  readonly #handles = new Map<number, InferenceHandle>();
  /** Numbers of texts to be asked; those before `#next` were. */
  #todo: readonly number[];
  #next = 0;
  #version: number | undefined;
  #inFlight = 0;
  #asking = false;
  #last: InferenceResponse | undefined;
  #failure: { readonly error: ServingError; readonly mark: RouteMark | undefined } | undefined;

  constructor(call: TextsCall<T>, infer: Infer, reply: CallReply) {
    this.#call = call;
    this.#infer = infer;
    this.#reply = reply;
    this.#todo = Array.from({ length: call.count }, (_, index) => index);
    this.#ask();
  }

  cancel(): void {
    this.#next = this.#todo.length;
    for (const handle of this.#handles.values()) handle.cancel();
  }

  /** Asks as many as may be in flight; replies that come at once only count, and are seen to here. */
  #ask(): void {
    this.#asking = true;
    while (this.#next < this.#todo.length && this.#inFlight < this.#call.mostInFlight) {
      this.#start(this.#todo[this.#next++] as number);
    }
    this.#asking = false;
    if (this.#inFlight === 0) this.#end();
  }

  #start(index: number): void {
    this.#inFlight++;
    let settled = false;
    const settle = (): void => {
      settled = true;
      this.#inFlight--;
      this.#handles.delete(index);
      if (!this.#asking) this.#ask();
    };
    try {
      const handle = this.#infer(this.#call.request(index, this.#version), {
        done: (response) => {
          this.#take(response, index);
          settle();
        },
        failed: (error, mark) => {
          this.#fail(error, mark);
          settle();
        },
      });
      if (!settled) this.#handles.set(index, handle);
    } catch (thrown) {
      this.#fail(toServingError(thrown), undefined);
      settle();
    }
  }

  #take(response: InferenceResponse, index: number): void {
    this.#last = { ...response, outputs: [] };
    this.#versions[index] = response.version.version;
    if (this.#failure !== undefined || !this.#reply.wanted) return;
    try {
      this.#taken[index] = this.#call.take(response, index);
    } catch (thrown) {
      this.#fail(toServingError(thrown), response.mark);
    }
  }

  #fail(error: ServingError, mark: RouteMark | undefined): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error, mark };
    this.cancel();
  }

  #end(): void {
    if (this.#failure !== undefined) this.#reply.failed(this.#failure.error, this.#failure.mark);
    else if (!this.#askStrays()) this.#answer();
  }

  /** True where texts that came to another version are asked again. */
  #askStrays(): boolean {
    if (this.#version !== undefined || !this.#reply.wanted) return false;
    const [version] = this.#versions;
    const strays = this.#versions.flatMap((one, index) => (one === version ? [] : [index]));
    if (strays.length === 0) return false;
    this.#version = version;
    this.#todo = strays;
    this.#next = 0;
    this.#ask();
    return true;
  }

  #answer(): void {
    const response = this.#last as InferenceResponse;
    try {
      const body = this.#reply.wanted ? this.#call.encode(this.#taken) : undefined;
      const headers = this.#call.headers?.() ?? [];
      this.#reply.done({ response, body, contentType: 'application/json', headers });
    } catch (thrown) {
      this.#reply.failed(toServingError(thrown), response.mark);
    }
  }
}
