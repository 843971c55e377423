import { Writer } from 'protobufjs/minimal.js';
import { DATA_TYPES, type Tensor } from '../../core/index.js';
import { decodeElements } from '../../elements/index.js';
import { CliError, EXIT_CODES } from '../exit-codes.js';
import type { LoadTarget } from './load-job.js';
import { clientFrame, OPCODES } from './web-socket-frames.js';

export type BodyFormat = 'binary' | 'json';

/** Which model a request is for. */
export interface RequestModel {
  readonly name: string;
  readonly version: string | undefined;
}

/** The path of a model's calls, e.g. `infer` or `stream`. */
export function modelPath({ name, version }: RequestModel, call: string): string {
  const versioned = version === undefined ? '' : `/versions/${encodeURIComponent(version)}`;
  return `/v2/models/${encodeURIComponent(name)}${versioned}/${call}`;
}

/** One inference request as it goes over the wire of the target's protocol; outputs come back in the request's form. */
export function requestBytes(
  target: LoadTarget,
  model: RequestModel,
  inputs: readonly Tensor[],
  format: BodyFormat,
): Buffer {
  switch (target.protocol) {
    case 'grpc':
      return grpcMessage(model, inputs);
    case 'http':
      return httpRequest(target, model, inputs, format);
    case 'ws':
      return webSocketFrame(inputs, format);
  }
}

/** inference.ModelInferRequest: model_name = 1, model_version = 2, inputs = 5 { name 1, datatype 2, shape 3 }, raw_input_contents = 7. */
function grpcMessage(model: RequestModel, inputs: readonly Tensor[]): Buffer {
  const writer = Writer.create().uint32(10).string(model.name);
  if (model.version !== undefined) writer.uint32(18).string(model.version);
  for (const { name, dataType, shape } of inputs) {
    writer.uint32(42).fork().uint32(10).string(name).uint32(18).string(dataType).uint32(26).fork();
    for (const size of shape) writer.int64(size);
    writer.ldelim().ldelim();
  }
  for (const { data } of inputs) writer.uint32(58).bytes(data);
  return Buffer.from(writer.finish());
}

function httpRequest(
  { host, port }: LoadTarget,
  model: RequestModel,
  inputs: readonly Tensor[],
  format: BodyFormat,
): Buffer {
  const { json, body } = v2Body(inputs, format);
  const type =
    format === 'json'
      ? 'Content-Type: application/json'
      : `Content-Type: application/octet-stream\r\nInference-Header-Content-Length: ${json.length}`;
  const head = `POST ${modelPath(model, 'infer')} HTTP/1.1\r\nHost: ${host}:${port}\r\n${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

/** A text frame of JSON; or a binary one: length of the JSON (uint32, little-endian), JSON, tensors. */
function webSocketFrame(inputs: readonly Tensor[], format: BodyFormat): Buffer {
  const { json, body } = v2Body(inputs, format);
  if (format === 'json') return clientFrame(OPCODES.text, body);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return clientFrame(OPCODES.binary, Buffer.concat([length, body]));
}

function v2Body(inputs: readonly Tensor[], format: BodyFormat): { readonly json: Buffer; readonly body: Buffer } {
  const binary = format === 'binary';
  const head = {
    inputs: inputs.map((tensor) => ({
      name: tensor.name,
      shape: tensor.shape,
      datatype: tensor.dataType,
      ...(binary ? { parameters: { binary_data_size: tensor.data.byteLength } } : { data: jsonData(tensor) }),
    })),
    ...(binary ? { parameters: { binary_data_output: true } } : {}),
  };
  const json = Buffer.from(JSON.stringify(head));
  return { json, body: binary ? Buffer.concat([json, ...inputs.map(({ data }) => data)]) : json };
}

function jsonData({ name, dataType, data }: Tensor): unknown[] {
  if (DATA_TYPES[dataType].json === 'none')
    throw new CliError(`input '${name}': ${dataType} has no JSON form; use --format binary`, EXIT_CODES.usage);
  return decodeElements(dataType, data).map((element) => {
    if (element instanceof Uint8Array) return Buffer.from(element).toString();
    return typeof element === 'bigint' ? Number(element) : element;
  });
}
