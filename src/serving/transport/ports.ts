import type { InferenceHandle, InferenceReply, InferenceRequest } from '../../core/index.js';
import type { ControlPlane } from '../controlplane/index.js';

/** The single path of an inference as a transport sees it; `dataplane` implements it. */
export interface InferencePort {
  /** Never throws. `reply` is called exactly once, possibly before this returns. */
  infer(request: InferenceRequest, reply: InferenceReply): InferenceHandle;
}

/** Every other call than an inference, as a transport sees it. Its methods throw `ServingError`, or reject with it. */
export type ControlPort = Pick<ControlPlane, keyof ControlPlane>;

/** A server that listens. Its owner calls `closeIntake`, lets what is in flight settle, then awaits `close`. */
export interface ListeningServer {
  /** The bound port (the one that was asked for, or the one the system gave for 0). */
  readonly port: number;
  /** Stops listening; new requests on connections that are open are refused with DRAINING. Idempotent. */
  closeIntake(): void;
  /** Resolves when every accepted request is answered and all sockets are closed. Calls `closeIntake`. Idempotent. */
  close(): Promise<void>;
}
