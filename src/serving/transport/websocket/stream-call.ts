import type {
  InferenceHandle,
  InferenceReply,
  InferenceResponse,
  Lease,
  LeaseSource,
  Placed,
  RequestTrace,
  RouteMark,
  ServingError,
} from '../../../core/index.js';
import { bytesBeforeTensors, type ReplyFormat } from '../../codec/index.js';

/** Where the first tensor of a binary frame shall begin. */
const ALIGNMENT = 64;

/** Who is told of a call's outcome. */
export interface CallOwner {
  /** One response before the last; `taken` when it has left. */
  part(call: StreamCall, response: InferenceResponse, taken: () => void): void;
  answer(call: StreamCall, response: InferenceResponse): void;
  refuse(call: StreamCall, error: ServingError, mark?: RouteMark): void;
}

/** One request of a connection. */
export class StreamCall implements InferenceReply, Placed {
  /** Of its request; empty until that is decoded. */
  id = '';
  format: ReplyFormat | undefined;
  /** Of its frame, taken from the server's budget. */
  readonly bytes: number;
  handle: InferenceHandle | undefined;
  /** What its frame lies in. */
  lease: Lease | undefined;
  trace: RequestTrace | undefined;
  /** Among those of its connection. */
  place = -1;
  readonly #owner: CallOwner;

  constructor(owner: CallOwner, bytes: number) {
    this.#owner = owner;
    this.bytes = bytes;
  }

  /** A copy of its frame that stays until `release`, placed so that the first tensor is aligned. */
  keep(frame: Uint8Array, memory: LeaseSource | undefined): Uint8Array {
    const start = (ALIGNMENT - (bytesBeforeTensors(frame) % ALIGNMENT)) % ALIGNMENT;
    this.lease = memory?.lease(start + frame.byteLength);
    if (memory === undefined || this.lease === undefined) return frame.slice();
    const kept = this.lease.bytes.subarray(start, start + frame.byteLength);
    memory.copy(kept, 0, frame);
    return kept;
  }

  release(): void {
    this.lease?.release();
    this.lease = undefined;
  }

  part(response: InferenceResponse, taken: () => void): void {
    this.#owner.part(this, response, taken);
  }

  done(response: InferenceResponse): void {
    this.#owner.answer(this, response);
  }

  failed(error: ServingError, mark?: RouteMark): void {
    this.#owner.refuse(this, error, mark);
  }
}
