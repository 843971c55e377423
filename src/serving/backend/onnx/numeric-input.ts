import {
  type Batch,
  type BatchMember,
  DATA_TYPES,
  elementCount,
  executedRows,
  type Lease,
  leaseOf,
  type Tensor,
  type TensorSpec,
} from '../../../core/index.js';
import { BatchInput } from '../batch-input.js';
import { grownBytes, type InputSlot, MAX_CACHED_ROWS, PREALLOCATED_BYTES } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import { type Address, addressOf, NativeMemory, nativeText } from './native-memory.js';
import { carryShape, fixedDims } from './tensor-shape.js';
import { valueOver } from './tensor-value.js';

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
  /** Memory that the run in hand reads in place. */
  #lease: Lease | undefined;
  shape: readonly number[];

  constructor(library: OrtLibrary, spec: TensorSpec, maxBatchSize: number) {
    this.name = nativeText(spec.name);
    this.#library = library;
    this.#spec = spec;
    this.#batched = maxBatchSize > 0;
    this.#input = new BatchInput(spec, this.#batched);
    this.#fixed = fixedDims(spec.modelDims);
    this.#elementBytes = DATA_TYPES[spec.dataType].elementBytes;
    this.#rowBytes = this.#fixed ? elementCount(spec.modelDims) * this.#elementBytes : 0;
    this.shape = this.#batched ? [1, ...spec.modelDims] : spec.modelDims;
    const mostBytes = this.#rowBytes * Math.max(1, maxBatchSize);
    this.#memory = new NativeMemory(mostBytes <= PREALLOCATED_BYTES ? mostBytes : 0);
  }

  fill(batch: Batch, index: number): Address {
    const rows = executedRows(batch);
    if (!this.#fixed) this.shape = this.#modelShape(batch, index);
    else if (this.#batched && this.shape[0] !== rows) this.shape = [rows, ...this.#spec.modelDims];
    const bytes = this.#fixed ? this.#rowBytes * rows : elementCount(this.shape) * this.#elementBytes;
    const lent = bytes < IN_PLACE_BYTES ? 0 : this.#lentAddress(batch, index, bytes);
    if (lent !== 0) {
      this.#ofRun = this.#makeValue(lent, bytes);
      return this.#ofRun;
    }
    this.#reserve(bytes);
    // The one copy of a request's bytes on their way to the model.
    this.#input.write(this.#memory.bytes, 0, bytes, batch, index);
    const { address } = this.#memory;
    if (!this.#fixed || rows > MAX_CACHED_ROWS) {
      this.#ofRun = this.#makeValue(address, bytes);
      return this.#ofRun;
    }
    this.#kept[rows] ??= this.#makeValue(address, bytes);
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

  /**
   * Where the members' bytes lie, one after the other in one lease (as those of one member do, or of an ensemble's requests that
   * ran together before), held until `endRun`; 0 where they have to be copied.
   */
  #lentAddress(batch: Batch, index: number, bytes: number): Address {
    if (batch.padded !== undefined) return 0;
    const { members } = batch;
    const first = members[0] as BatchMember;
    const { data } = first.inputs[index] as Tensor;
    const lease = leaseOf(first.lease, data);
    if (lease === undefined || !(data.buffer instanceof SharedArrayBuffer)) return 0;
    let end = data.byteOffset + data.byteLength;
    for (let i = 1; i < members.length; i++) {
      const next = members[i] as BatchMember;
      const { data } = next.inputs[index] as Tensor;
      if (data.byteOffset !== end || leaseOf(next.lease, data) !== lease) return 0;
      end += data.byteLength;
    }
    const address = addressOf(data.buffer) + data.byteOffset;
    if (end - data.byteOffset !== bytes || address % this.#elementBytes !== 0) return 0;
    lease.retain();
    this.#lease = lease;
    return address;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#memory.bytes.byteLength) return;
    this.#releaseKept();
    this.#memory = new NativeMemory(grownBytes(bytes));
  }

  #makeValue(address: Address, bytes: number): Address {
    return valueOver(this.#library, address, bytes, this.shape, this.#spec.dataType);
  }

  #releaseKept(): void {
    for (const value of this.#kept) if (value !== undefined) this.#library.api.ReleaseValue(value);
    this.#kept.length = 0;
  }
}
