import { numberCode } from './number-code.js';
import { TEXT, VALUES } from './number-memory.js';

/** Numbers written at a time: as many as surely find room in the window, at most 26 bytes each with their comma. */
const AT_ONCE = 2048;

/**
 * Writes FP32 and FP64 as JSON text by WebAssembly: the fewest digits that read back to the same bits (for FP32: by `Math.fround` of
 * what a JSON reader gives), the nearest of those, always with a fraction or an exponent; FP64 as JavaScript writes it but for that.
 */
class FloatWriter {
  readonly #code = numberCode();
  /** Bytes of values that the last `write` took. */
  taken = 0;

  /**
   * The text of floats of `valueBytes` each from `at` of `values` on, as many as fit or up to one that is not finite; each but the
   * first after a comma, and that one where `comma`. Valid until the next call; empty: the next one is not finite.
   */
  write(values: Uint8Array, at: number, valueBytes: number, comma: boolean): Uint8Array {
    const { memory, left, writeFloats } = this.#code;
    const end = Math.min(values.byteLength, at + AT_ONCE * valueBytes);
    memory.set(values.subarray(at, end), VALUES);
    const textBytes = writeFloats((end - at) / valueBytes, valueBytes, comma ? 1 : 0);
    this.taken = (left[0] as number) - VALUES;
    return memory.subarray(TEXT, TEXT + textBytes);
  }
}

let writer: FloatWriter | undefined;

/** This thread's writer, made when it is first asked for. */
export function floatWriter(): FloatWriter {
  writer ??= new FloatWriter();
  return writer;
}
