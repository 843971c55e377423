import type { Tensor, TensorSpec } from '../../../core/index.js';
import { OutputBuffers } from '../output-buffers.js';
import { grownBytes } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import { type Address, NativeMemory, nativeText } from './native-memory.js';
import type { OutputSlot } from './output-slot.js';
import { valueOver } from './tensor-value.js';

/** OrtValue and reply over some rows of a buffer: both are the same for every run of so many rows. */
interface BoundRows {
  readonly value: Address;
  readonly tensor: Tensor;
}

/** A buffer that ONNX Runtime writes in place. */
class WrittenMemory extends NativeMemory {
  readonly byRows: (BoundRows | undefined)[] = [];
}

/** An output of fixed shape: ONNX Runtime writes it in place. */
export class PreallocatedOutput implements OutputSlot {
  readonly name: NativeMemory;
  readonly #library: OrtLibrary;
  readonly #spec: TensorSpec;
  readonly #batched: boolean;
  readonly #rowBytes: number;
  readonly #buffers: OutputBuffers<WrittenMemory>;
  #ofRun: BoundRows | undefined;

  constructor(library: OrtLibrary, spec: TensorSpec, maxBatchSize: number, rowBytes: number) {
    this.name = nativeText(spec.name);
    this.#library = library;
    this.#spec = spec;
    this.#batched = maxBatchSize > 0;
    this.#rowBytes = rowBytes;
    this.#buffers = new OutputBuffers({
      make: (bytes) => new WrittenMemory(grownBytes(bytes)),
      end: ({ byRows }) => {
        for (const bound of byRows) if (bound !== undefined) library.api.ReleaseValue(bound.value);
        byRows.length = 0;
      },
    });
  }

  bind(rows: number): Address {
    const memory = this.#buffers.take(this.#rowBytes * rows);
    this.#ofRun = memory.byRows[rows] ?? this.#make(memory, rows);
    return this.#ofRun.value;
  }

  // ONNX Runtime refuses to write a value whose shape is not the output's (the lane turns that into
  // OUTPUT_SHAPE_MISMATCH), so the shape of a run that succeeded is the one that was bound.
  read(): Tensor {
    return (this.#ofRun as BoundRows).tensor;
  }

  discard(): void {}

  close(): void {
    this.#buffers.close();
  }

  #make(memory: WrittenMemory, rows: number): BoundRows {
    const { name, dataType, dims, modelDims } = this.#spec;
    const bytes = this.#rowBytes * rows;
    const shape = this.#batched ? [rows, ...modelDims] : modelDims;
    const value = valueOver(this.#library, memory.address, bytes, shape, dataType);
    const tensor: Tensor = {
      name,
      dataType,
      shape: this.#batched ? [rows, ...dims] : dims,
      data: memory.bytes.subarray(0, bytes),
    };
    const made = { value, tensor };
    memory.byRows[rows] = made;
    return made;
  }
}
