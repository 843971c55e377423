import { DATA_TYPES, elementCount, type Tensor, type TensorSpec } from '../../../core/index.js';
import { OutputBuffers } from '../output-buffers.js';
import { AllocatedOutput } from './allocated-output.js';
import { grownBytes } from './input-slot.js';
import type { OrtLibrary } from './library.js';
import { type Address, NativeMemory } from './native-memory.js';
import type { OutputSlot } from './output-slot.js';
import type { ShapedInput, ShapeRule } from './shape-rule.js';
import { carryShape, sameDims } from './tensor-shape.js';
import { valueOver } from './tensor-value.js';

/** OrtValue and reply of one shape. */
interface BoundShape {
  readonly shape: readonly number[];
  readonly value: Address;
  readonly tensor: Tensor;
}

/** A buffer that ONNX Runtime writes in place, with what was last made over it. */
class FollowingMemory extends NativeMemory {
  bound: BoundShape | undefined;
}

/**
 * An output whose shape follows from those of the inputs (`ShapeRule`): ONNX Runtime writes it in place, without an allocation or
 * a copy. Where the model file is wrong about that, it is an `AllocatedOutput` from then on.
 */
export class FollowingOutput implements OutputSlot {
  readonly #library: OrtLibrary;
  readonly #spec: TensorSpec;
  readonly #batched: boolean;
  readonly #elementBytes: number;
  readonly #buffers: OutputBuffers<FollowingMemory>;
  readonly #allocated: AllocatedOutput;
  #rule: ShapeRule | undefined;
  readonly #shape: number[] = [];
  #ofRun: BoundShape | undefined;

  constructor(library: OrtLibrary, spec: TensorSpec, batched: boolean, rule: ShapeRule) {
    this.#library = library;
    this.#spec = spec;
    this.#batched = batched;
    this.#elementBytes = DATA_TYPES[spec.dataType].elementBytes;
    this.#rule = rule;
    this.#allocated = new AllocatedOutput(library, spec, batched);
    this.#buffers = new OutputBuffers({
      make: (bytes) => new FollowingMemory(grownBytes(bytes)),
      end: (memory) => this.#unbind(memory),
    });
  }

  get name(): NativeMemory {
    return this.#allocated.name;
  }

  bind(rows: number, inputs: readonly ShapedInput[]): Address {
    this.#ofRun = undefined;
    if (this.#rule === undefined) return 0;
    this.#rule.write(this.#shape, rows, inputs);
    const bytes = elementCount(this.#shape) * this.#elementBytes;
    if (bytes === 0) return 0;
    const memory = this.#buffers.take(bytes);
    const { bound } = memory;
    this.#ofRun = bound !== undefined && sameDims(bound.shape, this.#shape) ? bound : this.#make(memory, bytes);
    return this.#ofRun.value;
  }

  // ONNX Runtime refuses to write a value of another shape, so what a run that succeeded has written is what was bound.
  read(value: Address, rows: number): Tensor {
    return this.#ofRun?.tensor ?? this.#allocated.read(value, rows);
  }

  discard(value: Address): void {
    if (this.#ofRun === undefined) this.#allocated.discard(value);
  }

  mistrust(): boolean {
    const trusted = this.#ofRun !== undefined;
    this.#rule = this.#ofRun = undefined;
    this.#buffers.close();
    return trusted;
  }

  close(): void {
    this.#buffers.close();
    this.#allocated.close();
  }

  #make(memory: FollowingMemory, bytes: number): BoundShape {
    this.#unbind(memory);
    const { name, dataType, dims, modelDims } = this.#spec;
    const shape = this.#shape.slice();
    const value = valueOver(this.#library, memory.address, bytes, shape, dataType);
    const tensor: Tensor = {
      name,
      dataType,
      shape: carryShape(shape, modelDims, dims, this.#batched),
      data: memory.bytes.subarray(0, bytes),
    };
    memory.bound = { shape, value, tensor };
    return memory.bound;
  }

  #unbind(memory: FollowingMemory): void {
    if (memory.bound !== undefined) this.#library.api.ReleaseValue(memory.bound.value);
    memory.bound = undefined;
  }
}
