/** A tensor as a capture keeps it: its bytes lie in the row's data, one after the other, unless they are left out. */
export interface CapturedTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  /** Of it in the row's data; 0 where they are left out. */
  readonly bytes: number;
  /** `dropped`: they are not kept. `too_large`: the row would be. `hash`: they are there to be hashed. Else `hmac-sha256:...` of them. */
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
  /** Of the rule, split or rollout that chose the version; undefined: it came to none. */
  readonly route: string | undefined;
  /** Part of the requests like it that is kept, 0 to 1: one row stands for so many, turned over. */
  readonly sampleRate: number;
  /** Where it stands in a trace, in the form of W3C; undefined: nobody watched it. */
  readonly traceparent: string | undefined;
  /** Those that the rules name, what is masked as `***`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Names of those whose values are to be hashed. */
  readonly hashHeaders: readonly string[];
  /** Of its execution; undefined where it was not answered. */
  readonly batchRows: number | undefined;
  readonly queueUs: number | undefined;
  readonly computeUs: number | undefined;
  /** Its part of the device's time, and what that costs; undefined: not known. */
  readonly deviceUs: number | undefined;
  readonly cost: number | undefined;
  /** Whether inputs and parameters, and outputs, are kept at all. */
  readonly withRequest: boolean;
  readonly withAnswer: boolean;
  /** What parameters, headers, names and shapes take, about. */
  readonly textBytes: number;
  readonly inputs: readonly CapturedTensor[];
  readonly outputs: readonly CapturedTensor[];
  /** The bytes of the inputs, then of the outputs. */
  readonly data: ArrayBuffer;
}

/** What a row weighs beside its data and texts, about. */
const ROW_BYTES = 1024;

/** What a row takes on its way, about. */
export function capturedBytes(dataBytes: number, textBytes: number): number {
  return dataBytes + textBytes + ROW_BYTES;
}

/** A row as sinks are given it: what was to be hashed is, and data are apart. */
export type StoredRow = Omit<CapturedRow, 'hashTenant' | 'hashHeaders' | 'data'> & {
  readonly inputData: Uint8Array;
  readonly outputData: Uint8Array;
};

/** What a row takes in memory, about. */
export function rowBytes({ inputData, outputData, textBytes }: StoredRow): number {
  return capturedBytes(inputData.byteLength + outputData.byteLength, textBytes);
}
