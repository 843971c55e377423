import { Reader, Writer } from 'protobufjs/minimal.js';
import type { ModelMetadata, TensorMetadata } from '../../client/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import { V2Client } from '../v2-client.js';
import { callModelMetadata } from './grpc-channel.js';
import type { LoadTarget } from './load-job.js';

/** Inputs and outputs of a model as its server tells them; batch axis included, -1 = any size. */
export type ModelSignature = Pick<ModelMetadata, 'inputs' | 'outputs'>;

/** Asks the server over the protocol that is measured; WebSocket servers answer HTTP on the same port. */
export async function modelSignature(
  target: LoadTarget,
  model: string,
  version: string | undefined,
): Promise<ModelSignature> {
  const { protocol, host, port } = target;
  if (protocol !== 'grpc') return await new V2Client(`http://${host}:${port}`).metadata(model, version);
  const writer = Writer.create().uint32(10).string(model);
  if (version !== undefined) writer.uint32(18).string(version);
  try {
    return readModelMetadata(await callModelMetadata(host, port, Buffer.from(writer.finish())));
  } catch (thrown) {
    throw new CliError((thrown as Error).message, EXIT_CODES.unreachable);
  }
}

/** inference.ModelMetadataResponse: inputs = 4, outputs = 5, each { name = 1, datatype = 2, shape = 3 }. */
export function readModelMetadata(message: Uint8Array): ModelSignature {
  const inputs: TensorMetadata[] = [];
  const outputs: TensorMetadata[] = [];
  const reader = Reader.create(message);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 4) inputs.push(readTensor(reader));
    else if (tag >>> 3 === 5) outputs.push(readTensor(reader));
    else reader.skipType(tag & 7);
  }
  return { inputs, outputs };
}

function readTensor(reader: Reader): TensorMetadata {
  const end = reader.uint32() + reader.pos;
  let name = '';
  let datatype = '';
  const shape: number[] = [];
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === 1) name = reader.string();
    else if (tag >>> 3 === 2) datatype = reader.string();
    else if (tag >>> 3 !== 3) reader.skipType(tag & 7);
    else if ((tag & 7) === 0) shape.push(Number(reader.int64()));
    // Packed, as proto3 writes repeated numbers.
    else for (const last = reader.uint32() + reader.pos; reader.pos < last; ) shape.push(Number(reader.int64()));
  }
  return { name, datatype, shape };
}
