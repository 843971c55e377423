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
  /** Bytes of a row (of the whole tensor where the model does not batch); 0 where its shape is not fixed. */
  readonly #rowBytes: number;
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
    this.#rowBytes = this.#fixed ? elementCount(spec.modelDims) * this.#elementBytes : 0;
    const mostBytes = this.#rowBytes * Math.max(1, maxBatchSize);
    this.#memory = new NativeMemory(mostBytes <= PREALLOCATED_BYTES ? mostBytes : 0);
  }

  fill(batch: Batch, index: number): Address {
    const bytes = this.#fixed
      ? this.#rowBytes * batch.rows
      : elementCount(this.#modelShape(batch, index)) * this.#elementBytes;
    this.#reserve(bytes);
    this.#gather(batch, index, bytes);
    if (!this.#fixed || batch.rows > MAX_CACHED_ROWS) {
      this.#ofRun = this.#makeValue(this.#modelShape(batch, index), bytes);
      return this.#ofRun;
    }
    this.#kept[batch.rows] ??= this.#makeValue(this.#modelShape(batch, index), bytes);
    return this.#kept[batch.rows] as Address;
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

  #modelShape(batch: Batch, index: number): readonly number[] {
    const { dims, modelDims } = this.#spec;
    const first = (batch.members[0] as Batch['members'][number]).inputs[index] as Tensor;
    const shape = carryShape(first.shape, dims, modelDims, this.#batched);
    return this.#batched ? [batch.rows, ...shape.slice(1)] : shape;
  }

  /** The one copy of a request's bytes on their way to the model. */
  #gather(batch: Batch, index: number, bytes: number): void {
    const target = this.#memory.bytes;
    let at = 0;
    for (const member of batch.members) {
      const { data } = member.inputs[index] as Tensor;
      if (at + data.byteLength > bytes) throw new Error(`input '${this.#spec.name}': more bytes than its shapes say`);
      target.set(data, at);
      at += data.byteLength;
    }
    // A short member would let the rest of an earlier request through.
    if (at !== bytes) throw new Error(`input '${this.#spec.name}': ${at} bytes where its shapes say ${bytes}`);
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
