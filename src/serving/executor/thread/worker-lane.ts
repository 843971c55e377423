import { ServingError } from '../../../core/index.js';
import type { ThreadModel, ThreadTensor } from '../../backend/index.js';
import type { PartPort } from './part-emitter.js';
import { alignUp, SharedMemory } from './shared-memory.js';
import type { LaneLayout, RanReply, RunTask, TensorPlace } from './thread-message.js';

/** The worker's side of a lane: views of its inputs, memory for its outputs. */
export class WorkerLane {
  readonly #layout: LaneLayout;
  readonly #maxOutputBytes: number;
  readonly #outputs = new SharedMemory();
  #inputs = new SharedArrayBuffer(0);

  constructor(layout: LaneLayout, maxOutputBytes: number) {
    this.#layout = layout;
    this.#maxOutputBytes = maxOutputBytes;
  }

  /** Runs one batch and puts its outputs where the main thread reads them. Rejects with the model's error. */
  async run(model: ThreadModel, task: RunTask, parts: PartPort | undefined): Promise<RanReply> {
    if (task.memory !== undefined) this.#inputs = task.memory;
    if (task.outputMemory !== undefined) this.#outputs.adopt(task.outputMemory);
    const startedNs = process.hrtime.bigint();
    const tensors = await this.#infer(model, task, parts);
    const computeNs = Number(process.hrtime.bigint() - startedNs);
    const outputs = this.#put(tensors);
    return { kind: 'ran', outputs, memory: this.#outputs.toSend(), computeNs };
  }

  async #infer(
    model: ThreadModel,
    { inputs, rows, parameters, stream }: RunTask,
    parts: PartPort | undefined,
  ): Promise<readonly ThreadTensor[]> {
    const batch = { inputs: this.#views(inputs), outputs: this.#layout.outputs, rows, parameters };
    if (stream === undefined) return await model.infer(batch);
    if (parts === undefined || model.stream === undefined) throw new Error('a run with parts of a model without');
    const emitter = parts.begin(stream);
    try {
      return await model.stream(batch, emitter);
    } finally {
      parts.end(stream);
    }
  }

  #views(places: RunTask['inputs']): ThreadTensor[] {
    const views: ThreadTensor[] = [];
    places.forEach((place, index) => {
      const input = this.#layout.inputs[index];
      if (place === null || input === undefined) return;
      const data = new Uint8Array(this.#inputs, place.offset, place.bytes);
      views.push({ name: input.name, dataType: input.dataType, shape: place.shape, data });
    });
    return views;
  }

  #put(tensors: readonly ThreadTensor[]): TensorPlace[] {
    let total = 0;
    const places = tensors.map(({ data, shape }) => {
      const offset = alignUp(total);
      total = offset + data.byteLength;
      return { offset, bytes: data.byteLength, shape };
    });
    if (total > this.#maxOutputBytes) {
      const limit = `the limit is ${this.#maxOutputBytes}`;
      throw new ServingError('BACKEND_FAILED', `the model's outputs take ${total} bytes; ${limit}`);
    }
    this.#outputs.reserve(total);
    const { bytes } = this.#outputs;
    tensors.forEach(({ data }, index) => {
      bytes.set(data, places[index]?.offset);
    });
    return places;
  }
}
