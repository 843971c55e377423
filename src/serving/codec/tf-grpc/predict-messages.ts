import {
  bytesElements,
  DATA_TYPES,
  type InferenceResponse,
  type OutputRequest,
  ServingError,
  type Tensor,
  typedView,
} from '../../../core/index.js';
import { MAX_TENSORS, shown } from '../checked-tensor.js';
import type { ReplyRoom } from '../reply-room.js';
import { SIGNATURE } from '../tf-serving/signature-name.js';
import { TENSORFLOW_TYPES } from '../tf-serving/tensorflow-types.js';
import { WireReader } from '../v2-grpc/wire-reader.js';
import { fieldBytes, textFieldBytes, varintBytes, WireWriter } from '../v2-grpc/wire-writer.js';
import { modelSpecBytes, type NamedModel, readModelSpec, writeModelSpec } from './model-spec.js';
import { readTensorProto } from './tensor-proto.js';

/** A `PredictRequest`, read. */
export interface PredictMessage {
  readonly named: NamedModel;
  readonly inputs: readonly Tensor[];
  /** Empty = all outputs. */
  readonly outputs: readonly OutputRequest[];
}

/**
 * Decodes a `PredictRequest`; tensors may be views of `bytes`. `maxBytes`: of a tensor whose elements are said in TensorFlow's short
 * form. Throws as `readTensorProto` and `readModelSpec`, and UNSUPPORTED for what streams.
 */
export function decodePredictRequest(bytes: Uint8Array, maxBytes: number): PredictMessage {
  const reader = new WireReader(bytes);
  const inputs = new Map<string, Tensor>();
  const outputs: OutputRequest[] = [];
  let named: NamedModel | undefined;
  while (reader.next()) {
    if (reader.field === 1) named = readModelSpec(reader);
    else if (reader.field === 2) readInput(reader, inputs, maxBytes);
    else if (reader.field === 3) outputs.push({ name: reader.string(), classification: 0 });
    else if (reader.field === 5) throw new ServingError('UNSUPPORTED', 'predict_streamed_options is not supported');
    else reader.skip();
    if (inputs.size > MAX_TENSORS || outputs.length > MAX_TENSORS)
      throw new ServingError('MALFORMED_REQUEST', `the request has more than ${MAX_TENSORS} inputs or outputs`);
  }
  if (named === undefined) throw new ServingError('MALFORMED_REQUEST', 'the request has no model_spec');
  return { named, inputs: [...inputs.values()], outputs };
}

function readInput(reader: WireReader, inputs: Map<string, Tensor>, maxBytes: number): void {
  const outer = reader.end;
  reader.end = reader.delimited();
  const entryEnd = reader.end;
  let name = '';
  let from = -1;
  let to = -1;
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) {
      to = reader.delimited();
      from = reader.at;
      reader.at = to;
    } else reader.skip();
  }
  if (from < 0) throw new ServingError('MALFORMED_REQUEST', `input ${shown(name)} has no tensor`);
  if (inputs.has(name)) throw new ServingError('MALFORMED_REQUEST', `the request has input ${shown(name)} twice`);
  reader.at = from;
  inputs.set(name, readTensorProto(reader, name, to, maxBytes));
  reader.at = entryEnd;
  reader.end = outer;
}

/** One output on its way out, its elements as the field of its data type has them. */
interface SizedOutput {
  readonly tensor: Tensor;
  /** Packed elements; of strings undefined. */
  readonly packed: Uint8Array | undefined;
  readonly strings: readonly Uint8Array[];
  readonly shapeBytes: number;
  readonly bytes: number;
}

/**
 * A `PredictResponse`: elements in the fields of their types, as TensorFlow Serving answers by default and clients read them
 * (`float_val` ...). `headBytes` are left free before it.
 */
export function encodePredictResponse(
  response: InferenceResponse,
  headBytes: number,
  room: ReplyRoom,
  signature = SIGNATURE,
): Buffer {
  const { version, outputs } = response;
  const sized = outputs.map(sizedOutput);
  const specBytes = modelSpecBytes(version.model, version.version, signature);
  let bytes = headBytes + fieldBytes(specBytes);
  for (const one of sized) bytes += fieldBytes(entryBytes(one));
  const writer = new WireWriter(room.place(bytes), room.copy);
  writer.at = headBytes;
  for (const one of sized) {
    writer.open(1, entryBytes(one));
    writer.text(1, one.tensor.name);
    writer.open(2, one.bytes);
    writeOutput(writer, one);
  }
  writer.open(2, specBytes);
  writeModelSpec(writer, version.model, version.version, signature);
  return writer.bytes;
}

function entryBytes({ tensor, bytes }: SizedOutput): number {
  return textFieldBytes(tensor.name) + fieldBytes(bytes);
}

function sizedOutput(tensor: Tensor): SizedOutput {
  const { dataType, shape, data } = tensor;
  const { number, field, wire } = TENSORFLOW_TYPES[dataType];
  const strings = wire === 'bytes' ? bytesElements(data) : [];
  const packed = wire === 'bytes' ? undefined : wire === 'fixed' ? data : packedVarints(tensor);
  let shapeBytes = 0;
  for (const size of shape) shapeBytes += fieldBytes(dimBytes(size));
  let bytes = 1 + varintBytes(number) + fieldBytes(shapeBytes);
  for (const { byteLength } of strings) bytes += fieldBytes(byteLength);
  if (packed !== undefined && packed.byteLength > 0) bytes += fieldBytes(packed.byteLength) + (field > 15 ? 1 : 0);
  return { tensor, packed, strings, shapeBytes, bytes };
}

function dimBytes(size: number): number {
  return size === 0 ? 0 : 1 + varintBytes(size);
}

function writeOutput(writer: WireWriter, { tensor, packed, strings, shapeBytes }: SizedOutput): void {
  const { number, field } = TENSORFLOW_TYPES[tensor.dataType];
  writer.bytes[writer.at++] = 0x08;
  writer.varint(number);
  writer.open(2, shapeBytes);
  for (const size of tensor.shape) {
    writer.open(2, dimBytes(size));
    if (size === 0) continue;
    writer.bytes[writer.at++] = 0x08;
    writer.varint(size);
  }
  for (const one of strings) writer.view(field, one);
  if (packed === undefined || packed.byteLength === 0) return;
  if (field <= 15) writer.view(field, packed);
  else {
    // A tag of two bytes: its low seven bits first.
    writer.bytes[writer.at++] = ((field << 3) & 0x7f) | 2 | 0x80;
    writer.bytes[writer.at++] = field >> 4;
    writer.varint(packed.byteLength);
    writer.bytes.set(packed, writer.at);
    writer.at += packed.byteLength;
  }
}

/** Integers, booleans and bits of half floats as varints, negative ones of ten bytes. */
function packedVarints({ dataType, data }: Tensor): Uint8Array {
  const { elementBytes } = DATA_TYPES[dataType];
  const values = typedView(dataType, data);
  const most = elementBytes === 1 && (dataType === 'BOOL' || dataType === 'UINT8') ? 2 : 10;
  const out = Buffer.allocUnsafe(values.length * most);
  let at = 0;
  if (elementBytes === 8) {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
    for (let i = 0; i < words.length; i += 2) at = putVarint(out, at, words[i] as number, words[i + 1] as number);
  } else {
    for (const value of values as Int32Array) at = putVarint(out, at, value >>> 0, value < 0 ? 0xffff_ffff : 0);
  }
  return out.subarray(0, at);
}

function putVarint(out: Uint8Array, at: number, low: number, high: number): number {
  while (high > 0 || low >= 0x80) {
    out[at++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | ((high & 0x7f) << 25)) >>> 0;
    high >>>= 7;
  }
  out[at++] = low;
  return at;
}
