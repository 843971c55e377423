import type { InferenceHandle, InferenceReply, InferenceRequest, ModelSpec, WantedTraits } from '../../core/index.js';
import type { ControlPlane } from '../controlplane/index.js';

/** The single path of an inference as a transport sees it; `dataplane` implements it. */
export interface InferencePort {
  /** What is to be read of callers and handed in with their requests; absent: nothing. May change with every request. */
  readonly wanted?: WantedTraits | undefined;
  /** Never throws. `reply` is called exactly once, possibly before this returns. */
  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle;
}

/** What the tensors of models are, for protocols whose bodies do not say it; `dataplane` implements it. */
export interface SpecPort {
  /** Of that version, or of the default one. Throws, or rejects with, what a request would be refused with. */
  specOf(model: string, version: number | undefined): Awaitable<ModelSpec>;
  /** The version that a label stands for (`labels` of the model's routes). Throws and rejects likewise. */
  versionOf(model: string, label: string): Awaitable<number>;
  /** Of each model of texts that serves, as requests without a version get it. */
  textModels(): readonly ModelSpec[];
}

/** Every other call than an inference, as a transport sees it. Its methods throw `ServingError`, or reject with it. */
export type ControlPort = { readonly [Call in keyof ControlPlane]: Relaxed<ControlPlane[Call]> };

/** What is at hand where the control plane is on the same thread, and has to be asked for where it is not. */
export type Awaitable<T> = T | Promise<T>;

type Relaxed<F> = F extends (...args: infer Args) => infer Result
  ? (...args: Args) => Awaitable<Awaited<Result>>
  : never;

/** `map` of a value that may have to be waited for; at once where it has not. */
export function mapped<T, U>(value: Awaitable<T>, map: (value: T) => U): Awaitable<U> {
  return value instanceof Promise ? value.then(map) : map(value);
}

/** The same where `next` may have to be waited for as well. */
export function chained<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** A server that listens. Its owner calls `closeIntake`, lets what is in flight settle, then awaits `close`. */
export interface ListeningServer {
  /** The bound port (the one that was asked for, or the one the system gave for 0). */
  readonly port: number;
  /** Stops listening; new requests on connections that are open are refused with DRAINING. Idempotent. */
  closeIntake(): void;
  /** Resolves when every accepted request is answered and all sockets are closed. Calls `closeIntake`. Idempotent. */
  close(): Promise<void>;
  /** Cuts every connection at once, for a thread that ends by a fault: it must not end with an open server. Idempotent. */
  abort(): void;
}
