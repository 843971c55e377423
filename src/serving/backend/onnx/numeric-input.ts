import { type Batch, DATA_TYPES, elementCount, type Tensor, type TensorSpec } from '../../../core/index.js';
import { grownBytes, type InputSlot, MAX_CACHED_ROWS, PREALLOCATED_BYTES, writeShape } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import { type Address, NativeMemory, nativeText } from './native-memory.js';
import { check } from './status.js';
import { carryShape, fixedDims } from './tensor-shape.js';

/** An input of fixed-size elements: one buffer in shared memory, which ONNX Runtime reads in place. */
export class NumericInput implements InputSlot {
  readonly name: NativeMemory;
  readonly #library: OrtLibrary;
  readonly #spec: TensorSpec;
  readonly #batched: boolean;
  readonly #fixed: boolean;
  readonly #elementBytes: number;
  /** Kept OrtValues by rows (fixed shapes only). */
  readonly #kept: (Address | undefined)[] = [];
  #memory: NativeMemory;
  /** The OrtValue of the run in hand, where it is not a kept one; 0 = none. */
  #ofRun: Address = 0;

  constructor(library: OrtLibrary, spec: TensorSpec, maxBatchSize: number) {
    this.name = nativeText(spec.name);
    this.#library = library;
    this.#spec = spec;
    this.#batched = maxBatchSize > 0;
    this.#fixed = fixedDims(spec.modelDims);
    this.#elementBytes = DATA_TYPES[spec.dataType].elementBytes;
    const mostBytes = this.#fixed ? elementCount(spec.modelDims) * this.#elementBytes * Math.max(1, maxBatchSize) : 0;
    this.#memory = new NativeMemory(mostBytes <= PREALLOCATED_BYTES ? mostBytes : 0);
  }

  fill(batch: Batch, index: number): Address {
    const spec = this.#spec;
    const first = (batch.members[0] as Batch['members'][number]).inputs[index] as Tensor;
    const shape = this.#modelShape(first.shape, batch.rows);
    const bytes = elementCount(shape) * this.#elementBytes;
    this.#reserve(bytes);
    const target = this.#memory.bytes;
    let at = 0;
    for (const member of batch.members) {
      const { data } = member.inputs[index] as Tensor;
      if (at + data.byteLength > bytes) throw new Error(`input '${spec.name}': more bytes than its shapes say`);
      target.set(data, at);
      at += data.byteLength;
    }
    // A short member would let the rest of an earlier request through.
    if (at !== bytes) throw new Error(`input '${spec.name}': ${at} bytes where its shapes say ${bytes}`);
    if (this.#fixed && batch.rows <= MAX_CACHED_ROWS) {
      const kept = this.#kept[batch.rows];
      if (kept !== undefined) return kept;
      const made = this.#makeValue(shape, bytes);
      this.#kept[batch.rows] = made;
      return made;
    }
    this.#ofRun = this.#makeValue(shape, bytes);
    return this.#ofRun;
  }

  endRun(): void {
    if (this.#ofRun === 0) return;
    this.#library.api.ReleaseValue(this.#ofRun);
    this.#ofRun = 0;
  }

  close(): void {
    this.endRun();
    this.#releaseKept();
  }

  #modelShape(clientShape: readonly number[], rows: number): readonly number[] {
    const { dims, modelDims } = this.#spec;
    const shape = carryShape(clientShape, dims, modelDims, this.#batched);
    return this.#batched ? [rows, ...shape.slice(1)] : shape;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#memory.bytes.byteLength) return;
    this.#releaseKept();
    this.#memory = new NativeMemory(grownBytes(bytes));
  }

  #makeValue(shape: readonly number[], bytes: number): Address {
    const { api, scratch, cpuMemory } = this.#library;
    const rank = writeShape(scratch, shape);
    const element = DATA_TYPES[this.#spec.dataType].onnxElementType;
    const out = scratch.address + rank * 8;
    check(
      api,
      api.CreateTensorWithDataAsOrtValue(cpuMemory, this.#memory.address, bytes, scratch.address, rank, element, out),
    );
    return scratch.word(rank);
  }

  #releaseKept(): void {
    for (const value of this.#kept) if (value !== undefined) this.#library.api.ReleaseValue(value);
    this.#kept.length = 0;
  }
}
