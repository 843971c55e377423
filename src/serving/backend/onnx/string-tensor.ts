import {
  type Batch,
  DATA_TYPES,
  elementCount,
  endOfBytesElement,
  executedRows,
  offerForGood,
  type Tensor,
  type TensorSpec,
} from '../../../core/index.js';
import { firstRow } from '../batch-input.js';
import { grownBytes, type InputSlot, writeShape } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import { type Address, NativeMemory, nativeText } from './native-memory.js';
import { check } from './status.js';
import { carryShape } from './tensor-shape.js';

/**
 * A BYTES input. ONNX Runtime's strings live in its own memory: each element's buffer is resized and filled byte for
 * byte, so NUL, invalid UTF-8 and empty strings arrive as they came. Cost: two native calls an element.
 */
export class StringInput implements InputSlot {
  readonly name: NativeMemory;
  readonly #library: OrtLibrary;
  readonly #spec: TensorSpec;
  readonly #batched: boolean;
  #memory = new NativeMemory(0);
  #ofRun: Address = 0;
  shape: readonly number[] = [];

  constructor(library: OrtLibrary, spec: TensorSpec, batched: boolean) {
    this.name = nativeText(spec.name);
    this.#library = library;
    this.#spec = spec;
    this.#batched = batched;
  }

  fill(batch: Batch, index: number): Address {
    const { api, scratch, allocator } = this.#library;
    const first = (batch.members[0] as Batch['members'][number]).inputs[index] as Tensor;
    const carried = carryShape(first.shape, this.#spec.dims, this.#spec.modelDims, this.#batched);
    const shape = this.#batched ? [executedRows(batch), ...carried.slice(1)] : carried;
    this.shape = shape;
    const rank = writeShape(scratch, shape);
    const { onnxElementType } = DATA_TYPES.BYTES;
    check(
      api,
      api.CreateTensorAsOrtValue(allocator, scratch.address, rank, onnxElementType, scratch.address + rank * 8),
    );
    this.#ofRun = scratch.word(rank);
    let element = 0;
    const elements = elementCount(shape);
    for (const member of batch.members) {
      element = this.#fillElements((member.inputs[index] as Tensor).data, element, elements);
    }
    for (let left = executedRows(batch) - batch.rows; left > 0; left--) {
      element = this.#fillElements(firstRow(first), element, elements);
    }
    if (element !== elements) {
      throw new Error(`input '${this.#spec.name}': ${element} strings where its shapes say ${elements}`);
    }
    return this.#ofRun;
  }

  endRun(): void {
    if (this.#ofRun === 0) return;
    this.#library.api.ReleaseValue(this.#ofRun);
    this.#ofRun = 0;
  }

  close(): void {
    this.endRun();
  }

  /** Fills elements from `element` on with serialised BYTES data and returns the index after the last one. */
  #fillElements(data: Uint8Array, element: number, elements: number): number {
    const { api, scratch } = this.#library;
    if (data.byteLength > this.#memory.bytes.byteLength) this.#memory = new NativeMemory(grownBytes(data.byteLength));
    this.#memory.bytes.set(data);
    let at = 0;
    let next = element;
    while (at < data.byteLength) {
      const end = endOfBytesElement(data, at);
      if (end < 0 || next >= elements) throw new Error(`input '${this.#spec.name}': malformed BYTES data`);
      const length = end - at - 4;
      check(api, api.GetResizedStringTensorElementBuffer(this.#ofRun, next, length, scratch.address));
      if (length > 0) this.#library.copy(scratch.word(0), this.#memory.address + at + 4, length);
      at = end;
      next++;
    }
    return next;
  }
}

/** The elements of a string tensor in serialised form (uint32 length and bytes, each), in memory of its own. */
export function readStrings(library: OrtLibrary, value: Address, elements: number): Uint8Array {
  const { api, scratch } = library;
  if (elements === 0) return new Uint8Array(0);
  check(api, api.GetStringTensorDataLength(value, scratch.address));
  const length = scratch.word(0);
  const content = new NativeMemory(length);
  const offsets = new NativeMemory(elements * 8);
  check(api, api.GetStringTensorContent(value, content.address, length, offsets.address, elements));
  const out = new Uint8Array(length + elements * 4);
  const view = new DataView(out.buffer);
  let at = 0;
  for (let i = 0; i < elements; i++) {
    const start = offsets.word(i);
    const end = i + 1 < elements ? offsets.word(i + 1) : length;
    view.setUint32(at, end - start, true);
    out.set(content.bytes.subarray(start, end), at + 4);
    at += 4 + end - start;
  }
  offerForGood(out);
  return out;
}
