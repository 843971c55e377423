import { type Reason, ServingError, toServingError } from '../../../core/index.js';

/** A task on its way to a pool thread. */
export interface TaskMessage {
  /** Name of the function to call, and the module (URL) that exports it. */
  readonly task: string;
  readonly module: string;
  readonly input: unknown;
}

/** What came of it. An error crosses as plain data: a structured clone would lose its class and its reason. */
export type TaskReply =
  | { readonly kind: 'done'; readonly output: unknown }
  | { readonly kind: 'failed'; readonly reason: Reason; readonly message: string; readonly cause: string | undefined };

/** The reply of a task that threw; a foreign error becomes INTERNAL, its stack goes along for the log. */
export function failedReply(thrown: unknown): TaskReply {
  const error = toServingError(thrown);
  const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : undefined;
  return { kind: 'failed', reason: error.reason, message: error.message, cause };
}

/** The error of a failed reply, as its task threw it. */
export function errorOfReply(reply: TaskReply & { kind: 'failed' }): ServingError {
  return new ServingError(reply.reason, reply.message, reply.cause === undefined ? {} : { cause: reply.cause });
}

/** Makes a view's buffer its own: what is sent away must not take along memory that others use. */
export function ownBuffer(view: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = view;
  if (buffer instanceof ArrayBuffer && view.byteLength === buffer.byteLength) return view as Uint8Array<ArrayBuffer>;
  return new Uint8Array(view);
}

/**
 * A copy of plain data in which every view that does not own its buffer is replaced by one that does, and the list of
 * all its buffers for the transfer. Views that share a buffer wholly covered by none of them are copied each.
 */
export function detachable(value: unknown): { readonly value: unknown; readonly transfer: ArrayBuffer[] } {
  const buffers = new Set<ArrayBuffer>();
  return { value: detach(value, buffers), transfer: [...buffers] };
}

function detach(value: unknown, buffers: Set<ArrayBuffer>): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof ArrayBuffer) {
    buffers.add(value);
    return value;
  }
  if (value instanceof Uint8Array) {
    // A Buffer arrives as a plain Uint8Array; one of Node's pool must not be transferred.
    const owned = ownBuffer(value);
    buffers.add(owned.buffer);
    return owned;
  }
  if (Array.isArray(value)) return value.map((item) => detach(item, buffers));
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) copy[key] = detach(item, buffers);
  return copy;
}
