/** A tensor as a capture keeps it: its bytes lie in the row's data, one after the other, unless they are left out. */
export interface CapturedTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Of it in the row's data; 0 where they are left out. */
  readonly bytes: number;
  /** `dropped`: they are not kept. `hash`: they are there to be hashed. Else `hmac-sha256:...` of them. */
  readonly redacted?: string;
}

/** One request with its answer, on its way to a file. */
export interface CapturedRow {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly model: string;
  /** Undefined: the request named none. */
  readonly requestedVersion: number | undefined;
  /** Undefined: it was not answered. */
  readonly version: number | undefined;
  readonly id: string;
  readonly tenant: string;
  readonly hashTenant: boolean;
  /** As in the request, what is masked as `***`. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Outputs that the request asked for; empty = all. */
  readonly asked: readonly { readonly name: string; readonly classification: number }[];
  /** From the first byte of the request to its answer. */
  readonly latencyUs: number;
  /** Why it was not answered. */
  readonly error: string | undefined;
  readonly inputs: readonly CapturedTensor[];
  readonly outputs: readonly CapturedTensor[];
  /** The bytes of the inputs, then of the outputs. */
  readonly data: ArrayBuffer;
}

/** What a row weighs beside its data, about. */
export const ROW_BYTES = 1024;
