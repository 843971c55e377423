import { DATA_TYPES, elementCount, type TensorSpec } from '../../../../core/index.js';
import { BatchInput } from '../../batch-input.js';
import type { OrtLibrary } from '../library.js';
import type { Address } from '../native-memory.js';
import { valueOver } from '../tensor-value.js';
import { HostBuffer } from './host-buffer.js';
import type { BufferPair } from './run-program.js';

/** Where the tensors of a lane lie on the device. */
export interface DeviceMemory {
  /** `OrtMemoryInfo*` */
  readonly info: Address;
  allocate(bytes: number): Address;
  free(address: Address): void;
}

/**
 * One input or output of a bound lane: a buffer here and, where the session reads or writes it on the device, its twin there.
 * Both stay where they are, and batches of every size begin at their start, so one allocation serves all sizes.
 */
export class BoundTensor {
  readonly spec: TensorSpec;
  /** Of inputs: how a batch is written to it. */
  readonly input: BatchInput;
  readonly host: HostBuffer;
  readonly rowBytes: number;
  readonly #library: OrtLibrary;
  readonly #batched: boolean;
  readonly #device: DeviceMemory | undefined;
  readonly #address: Address;
  readonly #values: Address[] = [];

  /** `device`: undefined where the session has it in this process's memory. */
  constructor(library: OrtLibrary, spec: TensorSpec, maxBatchSize: number, device: DeviceMemory | undefined) {
    this.spec = spec;
    this.#library = library;
    this.#batched = maxBatchSize > 0;
    this.input = new BatchInput(spec, this.#batched);
    this.rowBytes = elementCount(spec.modelDims) * DATA_TYPES[spec.dataType].elementBytes;
    const bytes = this.rowBytes * Math.max(1, maxBatchSize);
    this.host = new HostBuffer(bytes);
    this.#device = device;
    this.#address = device === undefined ? this.host.address : device.allocate(Math.max(1, bytes));
  }

  /** Makes the OrtValue of so many rows. It lives until `close`. */
  makeValue(rows: number): Address {
    const { modelDims, dataType } = this.spec;
    const shape = this.#batched ? [rows, ...modelDims] : modelDims;
    const value = valueOver(this.#library, this.#address, this.rowBytes * rows, shape, dataType, this.#device?.info);
    this.#values.push(value);
    return value;
  }

  /** The bytes of so many rows on both sides; undefined where there is one side. */
  pair(rows: number): BufferPair | undefined {
    if (this.#device === undefined) return undefined;
    return { host: this.host.address, device: this.#address, bytes: this.rowBytes * rows };
  }

  close(): void {
    for (const value of this.#values) this.#library.api.ReleaseValue(value);
    this.#values.length = 0;
    this.#device?.free(this.#address);
  }
}
