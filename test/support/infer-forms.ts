import { deflateSync, gunzipSync, gzipSync } from 'node:zlib';
import type { ServiceError } from '@grpc/grpc-js';
import { WebSocket } from 'ws';
import {
  bytesElements,
  DATA_TYPES,
  type DataType,
  serialiseBytes,
  type Tensor,
  typedView,
} from '../../src/core/index.js';
import { GrpcClient, type Message, type Received } from './grpc-server.js';
import type { HttpAnswer, RunningGateway } from './running-gateway.js';

/** A request in no protocol's form. */
export interface NeutralRequest {
  readonly model: string;
  readonly version?: string;
  readonly id?: string;
  readonly inputs: readonly Tensor[];
  readonly outputs?: readonly { readonly name: string; readonly classification?: number }[];
  readonly parameters?: Readonly<Record<string, boolean | number | string>>;
}

export type NeutralAnswer =
  | {
      readonly ok: true;
      readonly model: string;
      readonly version: string;
      readonly id: string;
      readonly outputs: readonly Tensor[];
    }
  | {
      readonly ok: false;
      readonly message: string;
      /** As the form has it; undefined where it carries none. */
      readonly http?: number;
      readonly grpc?: number;
      readonly reason?: string | undefined;
      readonly id?: string | undefined;
    };

/** One way to ask for an inference. */
export interface Form {
  readonly name: string;
  /** `json`: tensors as JSON numbers and strings; `typed`: gRPC's typed contents; `raw`: bytes. */
  readonly carries: 'json' | 'typed' | 'bytes';
  send(request: NeutralRequest): Promise<NeutralAnswer>;
}

/** Clients of every form against one gateway. */
export class InferForms {
  readonly all: readonly Form[];
  /** The raw binary body: for models with one input, batch 1. */
  readonly rawBody: Form;
  readonly #gateway: RunningGateway;
  readonly #grpc: GrpcClient;
  readonly #sockets = new Map<string, Promise<WebSocket>>();
  #stream: Received | undefined;
  #streamed = 0;

  constructor(gateway: RunningGateway) {
    this.#gateway = gateway;
    const limit = 256 * 1024 * 1024;
    this.#grpc = new GrpcClient(gateway.grpcPort, {
      'grpc.max_receive_message_length': limit,
      'grpc.max_send_message_length': limit,
    });
    const form = (name: string, carries: Form['carries'], send: Form['send']): Form => ({ name, carries, send });
    this.all = [
      form('HTTP JSON', 'json', (r) => this.#http(r, jsonBody(r), {})),
      form('HTTP JSON, gzip both ways', 'json', (r) =>
        this.#http(r, gzipSync(jsonBody(r)), { 'content-encoding': 'gzip', 'accept-encoding': 'gzip' }),
      ),
      form('HTTP JSON, chunked', 'json', (r) => this.#http(r, jsonBody(r), { 'transfer-encoding': 'chunked' })),
      form('HTTP binary', 'bytes', (r) => this.#httpBinary(r, false)),
      form('HTTP binary, deflate', 'bytes', (r) => this.#httpBinary(r, true)),
      form('WebSocket text', 'json', (r) => this.#webSocket(r, jsonBody(r))),
      form('WebSocket binary', 'bytes', (r) => this.#webSocket(r, binaryFrame(r))),
      form('gRPC raw', 'bytes', (r) => this.#grpcUnary(grpcMessage(r, true))),
      form('gRPC typed', 'typed', (r) => this.#grpcUnary(grpcMessage(r, false))),
      form('gRPC stream', 'bytes', (r) => this.#grpcStream(grpcMessage(r, true))),
    ];
    this.rawBody = form('HTTP raw body', 'bytes', (r) => this.#httpRaw(r));
  }

  async close(): Promise<void> {
    this.#stream?.half();
    await this.#stream?.ended;
    for (const opening of this.#sockets.values()) (await opening).terminate();
    this.#grpc.close();
  }

  async #http(request: NeutralRequest, body: Buffer, headers: Readonly<Record<string, string>>) {
    return httpAnswer(await this.#gateway.call(inferPath(request), { body, headers }));
  }

  #httpBinary(request: NeutralRequest, compressed: boolean): Promise<NeutralAnswer> {
    const { json, data } = binaryParts(request, true);
    const body = Buffer.concat([json, data]);
    const headers = { 'inference-header-content-length': String(json.byteLength) };
    if (!compressed) return this.#http(request, body, headers);
    return this.#http(request, deflateSync(body), { ...headers, 'content-encoding': 'deflate' });
  }

  #httpRaw(request: NeutralRequest): Promise<NeutralAnswer> {
    const { dataType, data } = request.inputs[0] as Tensor;
    const body = Buffer.from(dataType === 'BYTES' ? (bytesElements(data)[0] as Uint8Array) : data);
    return this.#http(request, body, { 'inference-header-content-length': '0' });
  }

  async #webSocket(request: NeutralRequest, frame: Buffer): Promise<NeutralAnswer> {
    const path = `/v2/models/${encodeURIComponent(request.model)}${versionPath(request)}/stream`;
    let opening = this.#sockets.get(path);
    if (opening === undefined) {
      opening = new Promise((resolve, reject) => {
        const socket = new WebSocket(`${this.#gateway.url.replace('http', 'ws')}${path}`, { maxPayload: 0 });
        socket.once('open', () => resolve(socket));
        socket.once('error', reject);
      });
      this.#sockets.set(path, opening);
    }
    const socket = await opening;
    const answer = new Promise<[Buffer, boolean]>((resolve, reject) => {
      socket.once('message', (data: Buffer, binary: boolean) => resolve([data, binary]));
      socket.once('close', (code) => reject(new Error(`the socket closed with ${code}`)));
    });
    socket.send(frame, { binary: frame[0] !== 0x7b });
    const [data, binary] = await answer;
    socket.removeAllListeners('close');
    if (binary) return restAnswer(data.subarray(4), data.readUInt32LE(0));
    const parsed = parseExact(data.toString());
    if (parsed.error === undefined) return restAnswer(data, undefined);
    return { ok: false, message: parsed.error, http: parsed.status, reason: parsed.reason, id: parsed.id ?? '' };
  }

  async #grpcUnary(message: Message): Promise<NeutralAnswer> {
    try {
      return grpcAnswer(await this.#grpc.unary('ModelInfer', message));
    } catch (thrown) {
      const { code, details, metadata } = thrown as ServiceError;
      return { ok: false, message: details, grpc: code, reason: String(metadata.get('x-penstock-reason')[0]) };
    }
  }

  async #grpcStream(message: Message): Promise<NeutralAnswer> {
    this.#stream ??= this.#grpc.bidi('ModelStreamInfer');
    this.#stream.send(message);
    // Answers come in the order of the requests.
    const turn = this.#streamed++;
    await this.#stream.count(turn + 1);
    const { error_message: error, infer_response: answer } = this.#stream.messages[turn] as Message;
    return error === '' ? grpcAnswer(answer) : { ok: false, message: error, id: answer?.id ?? '' };
  }
}

/** A tensor from a typed array, or from strings and buffers for BYTES. */
export function tensor(
  name: string,
  dataType: DataType,
  shape: readonly number[],
  values: ArrayBufferView | readonly (string | Uint8Array)[],
): Tensor {
  const data = ArrayBuffer.isView(values)
    ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    : serialiseBytes(values.map((value) => (typeof value === 'string' ? Buffer.from(value) : value)));
  return { name, dataType, shape, data };
}

/** The JSON body of the REST protocol. */
export function jsonBody(request: NeutralRequest): Buffer {
  const inputs = request.inputs.map(
    ({ name, dataType, shape, data }) => `{${head(name, dataType, shape)},"data":${jsonData(dataType, data)}}`,
  );
  return Buffer.from(`{${requestHead(request, false)}"inputs":[${inputs.join(',')}]}`);
}

/** JSON and binary tensors of the REST protocol's binary extension. */
export function binaryParts(request: NeutralRequest, askBinary: boolean): { json: Buffer; data: Buffer } {
  const inputs = request.inputs.map(
    ({ name, dataType, shape, data }) =>
      `{${head(name, dataType, shape)},"parameters":{"binary_data_size":${data.byteLength}}}`,
  );
  const json = Buffer.from(`{${requestHead(request, askBinary)}"inputs":[${inputs.join(',')}]}`);
  return { json, data: Buffer.concat(request.inputs.map(({ data }) => data)) };
}

function binaryFrame(request: NeutralRequest): Buffer {
  const { json, data } = binaryParts(request, false);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.byteLength);
  return Buffer.concat([length, json, data]);
}

/** A `ModelInferRequest`; tensors as raw contents or as typed ones. */
export function grpcMessage(request: NeutralRequest, raw: boolean): Message {
  return {
    model_name: request.model,
    model_version: request.version ?? '',
    id: request.id ?? '',
    inputs: request.inputs.map(({ name, dataType, shape, data }) => ({
      name,
      datatype: dataType,
      shape,
      ...(raw ? {} : { contents: typedContents(dataType, data) }),
    })),
    outputs: (request.outputs ?? []).map(({ name, classification }) => ({
      name,
      parameters: classification === undefined ? {} : { classification: { int64_param: classification } },
    })),
    parameters: Object.fromEntries(
      Object.entries(request.parameters ?? {}).map(([name, value]) => [name, grpcParameter(value)]),
    ),
    raw_input_contents: raw ? request.inputs.map(({ data }) => Buffer.from(data)) : [],
  };
}

function grpcParameter(value: boolean | number | string): object {
  if (typeof value === 'boolean') return { bool_param: value };
  return typeof value === 'number' ? { int64_param: value } : { string_param: value };
}

function typedContents(dataType: DataType, data: Uint8Array): object {
  const values =
    dataType === 'BYTES' ? bytesElements(data).map((element) => Buffer.from(element)) : [...typedView(dataType, data)];
  const { contents } = DATA_TYPES[dataType];
  return {
    [contents]: values.map((value) =>
      typeof value === 'bigint' ? String(value) : dataType === 'BOOL' ? value === 1 : value,
    ),
  };
}

function inferPath(request: NeutralRequest): string {
  return `/v2/models/${encodeURIComponent(request.model)}${versionPath(request)}/infer`;
}

function versionPath({ version }: NeutralRequest): string {
  return version === undefined ? '' : `/versions/${version}`;
}

function head(name: string, dataType: string, shape: readonly number[]): string {
  return `"name":${JSON.stringify(name)},"datatype":"${dataType}","shape":[${shape}]`;
}

function requestHead({ id, outputs, parameters }: NeutralRequest, askBinary: boolean): string {
  let text = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const all = { ...parameters, ...(askBinary ? { binary_data_output: true } : {}) };
  if (Object.keys(all).length > 0) text += `"parameters":${JSON.stringify(all)},`;
  if (outputs !== undefined) {
    const asked = outputs.map(({ name, classification }) => ({
      name,
      ...(classification === undefined ? {} : { parameters: { classification } }),
    }));
    text += `"outputs":${JSON.stringify(asked)},`;
  }
  return text;
}

/** Elements as JSON writes them; 64-bit integers with all digits, floats so that they read back to the same bits. */
function jsonData(dataType: DataType, data: Uint8Array): string {
  if (dataType === 'BYTES')
    return JSON.stringify(bytesElements(data).map((element) => Buffer.from(element).toString()));
  const values = [...typedView(dataType, data)];
  if (dataType === 'BOOL') return JSON.stringify(values.map((value) => value === 1));
  return `[${values.map((value) => (Object.is(value, -0) ? '-0.0' : String(value)))}]`;
}

/** JSON with integers of 16 digits and more as strings, which `JSON.parse` would round. */
// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
function parseExact(text: string): any {
  return JSON.parse(text.replace(/(?<=[[,])-?\d{16,}(?=[,\]])/g, '"$&"'));
}

function httpAnswer({ status, headers, body }: HttpAnswer): NeutralAnswer {
  const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
  if (status !== 200) return { ok: false, message: JSON.parse(plain.toString()).error, http: status };
  const length = headers['inference-header-content-length'];
  return restAnswer(plain, length === undefined ? undefined : Number(length));
}

/** Of a body, or of a frame behind its length: JSON up to `jsonBytes`, binary outputs behind it. */
function restAnswer(body: Buffer, jsonBytes: number | undefined): NeutralAnswer {
  const parsed = parseExact(body.subarray(0, jsonBytes).toString());
  let at = jsonBytes ?? body.byteLength;
  const outputs = parsed.outputs.map((output: Message): Tensor => {
    const { name, datatype, shape, parameters } = output;
    const size = parameters?.binary_data_size;
    if (size === undefined) return { name, dataType: datatype, shape, data: fromJson(datatype, output.data) };
    at += size;
    return { name, dataType: datatype, shape, data: body.subarray(at - size, at) };
  });
  if (at !== body.byteLength) throw new Error(`${body.byteLength - at} bytes left behind the last output`);
  return { ok: true, model: parsed.model_name, version: parsed.model_version, id: parsed.id ?? '', outputs };
}

function fromJson(dataType: DataType, values: readonly (number | string | boolean)[]): Uint8Array {
  if (dataType === 'BYTES') return serialiseBytes(values.map((value) => Buffer.from(value as string)));
  const { array, json } = DATA_TYPES[dataType];
  if (json === 'none') throw new Error(`${dataType} does not go through JSON`);
  // biome-ignore lint/suspicious/noExplicitAny: one constructor of many
  const made: ArrayBufferView = (array as any).from(
    values.map((value) => (json === 'integer64' ? BigInt(value) : Number(value))),
  );
  return new Uint8Array(made.buffer, made.byteOffset, made.byteLength);
}

function grpcAnswer(message: Message): NeutralAnswer {
  const outputs = message.outputs.map(
    ({ name, datatype, shape }: Message, index: number): Tensor => ({
      name,
      dataType: datatype,
      shape,
      data: message.raw_output_contents[index],
    }),
  );
  return { ok: true, model: message.model_name, version: message.model_version, id: message.id, outputs };
}
