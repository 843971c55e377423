import { DATA_TYPES, elementCount, type Tensor, type TensorSpec } from '../../../core/index.js';
import { OutputBuffers } from '../output-buffers.js';
import { countCopied } from './byte-copy.js';
import { grownBytes } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import { type Address, NativeMemory, nativeText } from './native-memory.js';
import type { OutputSlot } from './output-slot.js';
import { readDimensions } from './signature.js';
import { check } from './status.js';
import { readStrings } from './string-tensor.js';
import { carryShape, checkOutputShape } from './tensor-shape.js';

/**
 * An output that ONNX Runtime allocates. Its bytes are copied into the lane's memory and its value is released before
 * anybody sees it, so no view of ONNX Runtime's memory ever exists: a copy costs 60 ns and its bytes, a view of foreign
 * memory 820 ns, and a view kept too long would read the next request's output.
 */
export class AllocatedOutput implements OutputSlot {
  readonly name: NativeMemory;
  readonly #library: OrtLibrary;
  readonly #spec: TensorSpec;
  readonly #batched: boolean;
  readonly #buffers = new OutputBuffers({ make: (bytes) => new NativeMemory(grownBytes(bytes)) });

  constructor(library: OrtLibrary, spec: TensorSpec, batched: boolean) {
    this.name = nativeText(spec.name);
    this.#library = library;
    this.#spec = spec;
    this.#batched = batched;
  }

  bind(): Address {
    return 0;
  }

  read(value: Address, rows: number): Tensor {
    const { api } = this.#library;
    try {
      return this.#copyOut(value, rows);
    } finally {
      if (value !== 0) api.ReleaseValue(value);
    }
  }

  discard(value: Address): void {
    if (value !== 0) this.#library.api.ReleaseValue(value);
  }

  close(): void {
    this.#buffers.close();
  }

  #copyOut(value: Address, rows: number): Tensor {
    const spec = this.#spec;
    const { element, shape } = this.#describe(value);
    if (element !== DATA_TYPES[spec.dataType].onnxElementType) {
      throw new Error(`output '${spec.name}': element type ${element} where its spec says ${spec.dataType}`);
    }
    checkOutputShape(spec, shape, rows, this.#batched);
    return {
      name: spec.name,
      dataType: spec.dataType,
      shape: carryShape(shape, spec.modelDims, spec.dims, this.#batched),
      data:
        spec.dataType === 'BYTES' ? readStrings(this.#library, value, elementCount(shape)) : this.#bytes(value, shape),
    };
  }

  #describe(value: Address): { element: number; shape: number[] } {
    const { api, scratch } = this.#library;
    check(api, api.GetTensorTypeAndShape(value, scratch.address));
    const info = scratch.word(0);
    try {
      check(api, api.GetTensorElementType(info, scratch.address));
      const element = scratch.int(0);
      return { element, shape: readDimensions(this.#library, info) };
    } finally {
      api.ReleaseTensorTypeAndShapeInfo(info);
    }
  }

  #bytes(value: Address, shape: readonly number[]): Uint8Array {
    const { api, scratch } = this.#library;
    const bytes = elementCount(shape) * DATA_TYPES[this.#spec.dataType].elementBytes;
    const memory = this.#buffers.take(bytes);
    if (bytes > 0) {
      check(api, api.GetTensorMutableData(value, scratch.address));
      this.#library.copy(memory.address, scratch.word(0), bytes);
      countCopied(bytes);
    }
    return memory.bytes.subarray(0, bytes);
  }
}
