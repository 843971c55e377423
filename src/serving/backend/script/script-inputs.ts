import { type DataType, endOfBytesElement, type TypedArray, typedView } from '../../../core/index.js';
import type { ThreadTensor } from '../thread-model.js';

/** One input as a script sees it. */
export interface ScriptTensor {
  /**
   * Elements in row-major order: a typed array over shared memory, valid until `infer` settles; for BYTES an array of
   * Buffers. FP16 and BF16 are their bits in a Uint16Array, BOOL is 0 or 1 in a Uint8Array.
   */
  readonly data: TypedArray | Buffer[];
  readonly shape: readonly number[];
  readonly dataType: DataType;
}

/** The inputs by name, without copies but for BYTES (a script may keep or decode those: APIs refuse shared memory). */
export function scriptInputs(inputs: readonly ThreadTensor[]): Record<string, ScriptTensor> {
  const named: Record<string, ScriptTensor> = Object.create(null);
  for (const { name, dataType, shape, data } of inputs) {
    named[name] = {
      data: dataType === 'BYTES' ? bytesElements(data) : typedView(dataType, data),
      shape,
      dataType,
    };
  }
  return named;
}

function bytesElements(shared: Uint8Array): Buffer[] {
  const data = Buffer.from(shared);
  const elements: Buffer[] = [];
  for (let at = 0; at < data.byteLength; ) {
    const end = endOfBytesElement(data, at);
    if (end < 0) throw new Error('malformed BYTES data');
    elements.push(data.subarray(at + 4, end));
    at = end;
  }
  return elements;
}
