/** How tensors get to the device: not at all, by CUDA, or (a device that is this memory too) by memcpy. */
export interface BoundDevice {
  readonly copies: 'none' | 'cuda' | 'memcpy';
  readonly deviceId: number;
}

export interface ProgramThreadData {
  readonly block: SharedArrayBuffer;
  /** Absolute path of ONNX Runtime's library. */
  readonly libraryPath: string;
  readonly device: BoundDevice;
}

/** Places of the signals, as 32-bit integers. */
export const BELL = 0;
export const STOP = 1;
const SIGNAL_BYTES = 8;

/** Places of the words, as doubles: the first call that failed, what it returned, the program. */
export const FAILED_STEP = 0;
export const RESULT = 1;
export const PROGRAM = 2;

/** A block for programs of up to `programWords` words. */
export function newBlock(programWords: number): SharedArrayBuffer {
  return new SharedArrayBuffer(SIGNAL_BYTES + (PROGRAM + programWords) * 8);
}

export function blockViews(block: SharedArrayBuffer): { readonly signals: Int32Array; readonly words: Float64Array } {
  return { signals: new Int32Array(block, 0, SIGNAL_BYTES / 4), words: new Float64Array(block, SIGNAL_BYTES) };
}
