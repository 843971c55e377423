import {
  type Batch,
  type BatchMember,
  DATA_TYPES,
  elementCount,
  executedRows,
  type Lease,
  type Tensor,
  type TensorSpec,
} from '../../../core/index.js';
import { BatchInput } from '../batch-input.js';
import { grownBytes, type InputSlot, MAX_CACHED_ROWS, PREALLOCATED_BYTES, writeShape } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import { type Address, addressOf, NativeMemory, nativeText } from './native-memory.js';
import { check } from './status.js';
import { carryShape, fixedDims } from './tensor-shape.js';

/**
 * From this many bytes on an input that lies in pooled memory is read where it is: an OrtValue for one run costs what the
 * copy of about so many bytes does.
 */
const IN_PLACE_BYTES = 8 * 1024;

/**
 * An input of fixed-size elements: one buffer in shared memory, which ONNX Runtime reads in place. A large input of a batch
 * of one is not even copied there, where it lies in pooled memory already.
 */
export class NumericInput implements InputSlot {
  readonly name: NativeMemory;
  readonly #library: OrtLibrary;
  readonly #spec: TensorSpec;
  readonly #input: BatchInput;
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
  /** Pooled memory that the run in hand reads in place. */
  #lease: Lease | undefined;

  constructor(library: OrtLibrary, spec: TensorSpec, maxBatchSize: number) {
    this.name = nativeText(spec.name);
    this.#library = library;
    this.#spec = spec;
    this.#batched = maxBatchSize > 0;
    this.#input = new BatchInput(spec, this.#batched);
    this.#fixed = fixedDims(spec.modelDims);
    this.#elementBytes = DATA_TYPES[spec.dataType].elementBytes;
    this.#rowBytes = this.#fixed ? elementCount(spec.modelDims) * this.#elementBytes : 0;
    const mostBytes = this.#rowBytes * Math.max(1, maxBatchSize);
    this.#memory = new NativeMemory(mostBytes <= PREALLOCATED_BYTES ? mostBytes : 0);
  }

  fill(batch: Batch, index: number): Address {
    const rows = executedRows(batch);
    const bytes = this.#fixed
      ? this.#rowBytes * rows
      : elementCount(this.#modelShape(batch, index)) * this.#elementBytes;
    const lent = bytes < IN_PLACE_BYTES ? 0 : this.#lentAddress(batch, index, bytes);
    if (lent !== 0) {
      this.#ofRun = this.#makeValue(lent, this.#modelShape(batch, index), bytes);
      return this.#ofRun;
    }
    this.#reserve(bytes);
    // The one copy of a request's bytes on their way to the model.
    this.#input.write(this.#memory.bytes, 0, bytes, batch, index);
    const { address } = this.#memory;
    if (!this.#fixed || rows > MAX_CACHED_ROWS) {
      this.#ofRun = this.#makeValue(address, this.#modelShape(batch, index), bytes);
      return this.#ofRun;
    }
    this.#kept[rows] ??= this.#makeValue(address, this.#modelShape(batch, index), bytes);
    return this.#kept[rows] as Address;
  }

  endRun(): void {
    if (this.#ofRun !== 0) this.#library.api.ReleaseValue(this.#ofRun);
    this.#ofRun = 0;
    // Not before: whoever waited for this run may have gone long ago.
    this.#lease?.release();
    this.#lease = undefined;
  }

  close(): void {
    this.endRun();
    this.#releaseKept();
  }

  #modelShape(batch: Batch, index: number): readonly number[] {
    const { dims, modelDims } = this.#spec;
    return carryShape(this.#input.shape(batch, index), dims, modelDims, this.#batched);
  }

  /** Where the one member's bytes lie, held until `endRun`; 0 where they have to be copied. */
  #lentAddress(batch: Batch, index: number, bytes: number): Address {
    if (batch.members.length !== 1 || batch.padded !== undefined) return 0;
    const { inputs, lease } = batch.members[0] as BatchMember;
    const { data } = inputs[index] as Tensor;
    if (lease === undefined || data.buffer !== lease.bytes.buffer || data.byteLength !== bytes) return 0;
    const address = addressOf(data.buffer) + data.byteOffset;
    if (address % this.#elementBytes !== 0) return 0;
    lease.retain();
    this.#lease = lease;
    return address;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#memory.bytes.byteLength) return;
    this.#releaseKept();
    this.#memory = new NativeMemory(grownBytes(bytes));
  }

  #makeValue(address: Address, shape: readonly number[], bytes: number): Address {
    const { api, scratch, cpuMemory } = this.#library;
    const rank = writeShape(scratch, shape);
    const element = DATA_TYPES[this.#spec.dataType].onnxElementType;
    const out = scratch.address + rank * 8;
    check(api, api.CreateTensorWithDataAsOrtValue(cpuMemory, address, bytes, scratch.address, rank, element, out));
    return scratch.word(rank);
  }

  #releaseKept(): void {
    for (const value of this.#kept) if (value !== undefined) this.#library.api.ReleaseValue(value);
    this.#kept.length = 0;
  }
}
