import type { InferenceResponse, MemoryPlace, Tensor } from '../../../core/index.js';
import { placeParameters } from '../placed-tensors.js';
import { OWN_ROOM, type ReplyRoom } from '../reply-room.js';
import { fieldBytes, parameterMessage, textFieldBytes, varintBytes, WireWriter } from './wire-writer.js';

/**
 * A `ModelInferResponse`, its outputs raw: one allocation, each output copied once. `headBytes` are left free before it,
 * not written, for the frame of who sends it. `places`: outputs that went into memory of the client, whose raw contents are empty.
 */
export function encodeModelInferResponse(
  response: InferenceResponse,
  headBytes = 0,
  room = OWN_ROOM,
  places?: Places,
): Buffer {
  return encoded(response, headBytes, room, places, false);
}

/** The same inside a `ModelStreamInferResponse`. */
export function encodeStreamResponse(
  response: InferenceResponse,
  headBytes = 0,
  room = OWN_ROOM,
  places?: Places,
): Buffer {
  return encoded(response, headBytes, room, places, true);
}

function encoded(
  response: InferenceResponse,
  headBytes: number,
  room: ReplyRoom,
  places: Places,
  streamed: boolean,
): Buffer {
  const sized = new SizedResponse(response, places);
  const bytes = streamed ? fieldBytes(sized.bytes) : sized.bytes;
  const writer = new WireWriter(room.place(headBytes + bytes), room.copy);
  writer.at = headBytes;
  if (streamed) writer.open(2, sized.bytes);
  sized.write(writer);
  return writer.bytes;
}

/**
 * A `ModelStreamInferResponse` that carries an error; `id` names the request, empty where it is not known. As in Triton it
 * says that it is the last response to its request.
 */
export function encodeStreamResponseError(message: string, id: string): Buffer {
  const last = fieldBytes(entryBytes(FINAL));
  const inner = textFieldBytes(id) + last;
  const writer = new WireWriter(Buffer.allocUnsafe(textFieldBytes(message) + fieldBytes(inner)));
  writer.text(1, message);
  writer.open(2, inner);
  writer.text(3, id);
  writeEntry(writer, FINAL);
  return writer.bytes;
}

/** Outputs in memory of the client, by name. */
type Places = ReadonlyMap<string, MemoryPlace> | undefined;

type Entry = readonly [name: string, message: Buffer];

const FINAL: Entry = ['triton_final_response', parameterMessage(true)];

/** Sizes before it writes: lengths stand before contents on the wire. */
class SizedResponse {
  readonly bytes: number;
  readonly #response: InferenceResponse;
  readonly #version: string;
  readonly #parameters: Entry[] = [];
  readonly #placed: ReadonlyMap<string, readonly Entry[]> | undefined;

  constructor(response: InferenceResponse, places: Places) {
    const { version, id, outputs, parameters } = response;
    this.#response = response;
    this.#placed = places && new Map([...places].map(([name, place]) => [name, entriesOf(placeParameters(place))]));
    this.#version = `${version.version}`;
    let bytes = textFieldBytes(version.model) + textFieldBytes(this.#version) + textFieldBytes(id);
    for (const name in parameters) {
      const entry = [name, parameterMessage(parameters[name] as string)] as const;
      this.#parameters.push(entry);
      bytes += fieldBytes(entryBytes(entry));
    }
    for (const output of outputs) bytes += fieldBytes(this.#outputBytes(output)) + fieldBytes(output.data.byteLength);
    this.bytes = bytes;
  }

  write(writer: WireWriter): void {
    const { version, id, outputs } = this.#response;
    writer.text(1, version.model);
    writer.text(2, this.#version);
    writer.text(3, id);
    for (const entry of this.#parameters) writeEntry(writer, entry);
    for (const output of outputs) {
      writer.open(5, this.#outputBytes(output));
      writer.text(1, output.name);
      writer.text(2, output.dataType);
      if (output.shape.length > 0) {
        writer.open(3, shapeBytes(output.shape));
        for (const dim of output.shape) writer.varint(dim);
      }
      const placed = this.#placed?.get(output.name);
      if (placed !== undefined) for (const entry of placed) writeEntry(writer, entry);
    }
    for (const output of outputs) writer.view(6, output.data);
  }

  #outputBytes(output: Tensor): number {
    const bytes = outputBytes(output);
    const placed = this.#placed?.get(output.name);
    return placed === undefined ? bytes : placed.reduce((sum, entry) => sum + fieldBytes(entryBytes(entry)), bytes);
  }
}

function entriesOf(parameters: Readonly<Record<string, string | number>>): readonly Entry[] {
  return Object.entries(parameters).map(([name, value]) => [name, parameterMessage(value)]);
}

function writeEntry(writer: WireWriter, entry: Entry): void {
  writer.open(4, entryBytes(entry));
  writer.text(1, entry[0]);
  writer.view(2, entry[1]);
}

function entryBytes([name, message]: readonly [string, Buffer]): number {
  return textFieldBytes(name) + fieldBytes(message.length);
}

function outputBytes({ name, dataType, shape }: Tensor): number {
  return textFieldBytes(name) + textFieldBytes(dataType) + (shape.length === 0 ? 0 : fieldBytes(shapeBytes(shape)));
}

function shapeBytes(shape: readonly number[]): number {
  let bytes = 0;
  for (const dim of shape) bytes += varintBytes(dim);
  return bytes;
}
