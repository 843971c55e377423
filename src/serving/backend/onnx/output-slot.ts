import { DATA_TYPES, elementCount, type Tensor, type TensorSpec } from '../../../core/index.js';
import { countCopied } from './byte-copy.js';
import { grownBytes, MAX_CACHED_ROWS, PREALLOCATED_BYTES, writeShape } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import { type Address, NativeMemory, nativeText } from './native-memory.js';
import { readDimensions } from './signature.js';
import { check } from './status.js';
import { readStrings } from './string-tensor.js';
import { carryShape, checkOutputShape, fixedDims } from './tensor-shape.js';

/** One output of a lane. */
export interface OutputSlot {
  readonly name: NativeMemory;
  /** The OrtValue that ONNX Runtime shall write, or 0 where it allocates one itself. */
  bind(rows: number): Address;
  /**
   * The output of a finished run: a view of the lane's memory, valid until the next run. `value` is what the run left in
   * the slot's place; where ONNX Runtime made it, it is released here. Throws `OUTPUT_SHAPE_MISMATCH`.
   */
  read(value: Address, rows: number): Tensor;
  /** Releases a value that a failed run may have left. */
  discard(value: Address): void;
  close(): void;
}

/** Fixed shapes are written in place by ONNX Runtime; all others are allocated by it and copied once. */
export function createOutputSlot(library: OrtLibrary, spec: TensorSpec, maxBatchSize: number): OutputSlot {
  const rowBytes = elementCount(spec.modelDims) * DATA_TYPES[spec.dataType].elementBytes;
  const preallocated =
    spec.dataType !== 'BYTES' &&
    fixedDims(spec.modelDims) &&
    maxBatchSize <= MAX_CACHED_ROWS &&
    rowBytes * Math.max(1, maxBatchSize) <= PREALLOCATED_BYTES;
  return preallocated
    ? new PreallocatedOutput(library, spec, maxBatchSize, rowBytes)
    : new AllocatedOutput(library, spec, maxBatchSize > 0);
}

class PreallocatedOutput implements OutputSlot {
  readonly name: NativeMemory;
  readonly #library: OrtLibrary;
  readonly #spec: TensorSpec;
  readonly #batched: boolean;
  readonly #rowBytes: number;
  readonly #memory: NativeMemory;
  /** OrtValue and reply by rows: both are the same for every run of so many rows. */
  readonly #kept: ({ readonly value: Address; readonly tensor: Tensor } | undefined)[] = [];

  constructor(library: OrtLibrary, spec: TensorSpec, maxBatchSize: number, rowBytes: number) {
    this.name = nativeText(spec.name);
    this.#library = library;
    this.#spec = spec;
    this.#batched = maxBatchSize > 0;
    this.#rowBytes = rowBytes;
    this.#memory = new NativeMemory(rowBytes * Math.max(1, maxBatchSize));
  }

  bind(rows: number): Address {
    return (this.#kept[rows] ?? this.#make(rows)).value;
  }

  // ONNX Runtime refuses to write a value whose shape is not the output's (the lane turns that into
  // OUTPUT_SHAPE_MISMATCH), so the shape of a run that succeeded is the one that was bound.
  read(_value: Address, rows: number): Tensor {
    return (this.#kept[rows] as { readonly tensor: Tensor }).tensor;
  }

  discard(): void {}

  close(): void {
    for (const kept of this.#kept) if (kept !== undefined) this.#library.api.ReleaseValue(kept.value);
    this.#kept.length = 0;
  }

  #make(rows: number): { readonly value: Address; readonly tensor: Tensor } {
    const { api, scratch, cpuMemory } = this.#library;
    const { name, dataType, dims, modelDims } = this.#spec;
    const bytes = this.#rowBytes * rows;
    const rank = writeShape(scratch, this.#batched ? [rows, ...modelDims] : modelDims);
    const out = scratch.address + rank * 8;
    const element = DATA_TYPES[dataType].onnxElementType;
    check(
      api,
      api.CreateTensorWithDataAsOrtValue(cpuMemory, this.#memory.address, bytes, scratch.address, rank, element, out),
    );
    const tensor: Tensor = {
      name,
      dataType,
      shape: this.#batched ? [rows, ...dims] : dims,
      data: this.#memory.bytes.subarray(0, bytes),
    };
    const made = { value: scratch.word(rank), tensor };
    this.#kept[rows] = made;
    return made;
  }
}

/**
 * An output that ONNX Runtime allocates. Its bytes are copied into the lane's memory and its value is released before
 * anybody sees it, so no view of ONNX Runtime's memory ever exists: a copy costs 60 ns and its bytes, a view of foreign
 * memory 820 ns, and a view kept too long would read the next request's output.
 */
class AllocatedOutput implements OutputSlot {
  readonly name: NativeMemory;
  readonly #library: OrtLibrary;
  readonly #spec: TensorSpec;
  readonly #batched: boolean;
  #memory = new NativeMemory(0);

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

  close(): void {}

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
    if (bytes > this.#memory.bytes.byteLength) this.#memory = new NativeMemory(grownBytes(bytes));
    if (bytes > 0) {
      check(api, api.GetTensorMutableData(value, scratch.address));
      this.#library.copy(this.#memory.address, scratch.word(0), bytes);
      countCopied(bytes);
    }
    return this.#memory.bytes.subarray(0, bytes);
  }
}
