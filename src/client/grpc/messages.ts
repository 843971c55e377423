import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { badAnswer } from '../client-error.js';
import { isDataType } from '../data-type.js';
import type { RequestExtras } from '../infer-message.js';
import type { InferAnswer, Parameters, ParameterValue } from '../protocol.js';
import { type AnyOutputs, outputTensor, type Shape, type WireTensor } from '../tensor.js';

/** How messages of a call become bytes. */
export interface MethodCodec {
  readonly path: string;
  readonly encode: (message: object) => Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: messages of many shapes, read by who knows which call it is
  readonly decode: (bytes: Buffer) => any;
}

let service: protobuf.Service | undefined;

/** One method of the service; its messages are objects with the fields' names of the `.proto` file. */
export function methodCodec(name: string): MethodCodec {
  service ??= loadService();
  const { resolvedRequestType, resolvedResponseType } = service.methods[name] as protobuf.Method;
  const request = resolvedRequestType as protobuf.Type;
  const response = resolvedResponseType as protobuf.Type;
  return {
    path: `/inference.GRPCInferenceService/${name}`,
    encode: (message) => request.encode(message).finish() as Buffer,
    decode: (bytes) => response.toObject(response.decode(bytes), { longs: Number, defaults: true }),
  };
}

/** From the copy of `protos/` that the build leaves beside the compiled program. */
function loadService(): protobuf.Service {
  const folder = new URL('../../protos/', import.meta.url);
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => fileURLToPath(new URL(target, folder));
  root.loadSync('grpc_service.proto', { keepCase: true });
  root.resolveAll();
  return root.lookupService('inference.GRPCInferenceService');
}

/** A `ModelInferRequest`. */
export function requestMessage(
  model: string,
  version: number | string | undefined,
  tensors: readonly WireTensor[],
  { id, parameters, outputs }: RequestExtras,
): object {
  return {
    model_name: model,
    model_version: version === undefined ? '' : String(version),
    id,
    parameters: parameterMessages(parameters),
    inputs: tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    outputs: outputs.map(({ name, classification }) =>
      classification === 0 ? { name } : { name, parameters: { classification: { int64_param: classification } } },
    ),
    raw_input_contents: tensors.map(({ bytes }) => bytes),
  };
}

interface InferResponseMessage {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, Readonly<Record<string, ParameterValue>>>>;
  readonly outputs: readonly { readonly name: string; readonly datatype: string; readonly shape: Shape }[];
  readonly raw_output_contents: readonly Uint8Array[];
}

/** The answer that a `ModelInferResponse` is. Throws `BAD_ANSWER`. */
export function answerOf(message: InferResponseMessage): InferAnswer {
  const outputs: Record<string, AnyOutputs[string]> = {};
  message.outputs.forEach(({ name, datatype, shape }, i) => {
    const raw = message.raw_output_contents[i];
    if (raw === undefined || !isDataType(datatype))
      throw badAnswer(`output '${name}' (${datatype}) came without bytes`);
    // Not the Buffer that it is: its `slice` and `toString` are others than those of a Uint8Array.
    const bytes = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
    outputs[name] = outputTensor({ name, datatype, shape, bytes });
  });
  return {
    model: message.model_name,
    version: message.model_version,
    id: message.id,
    parameters: Object.fromEntries(
      Object.entries(message.parameters).map(([name, choice]) => [name, Object.values(choice)[0] as ParameterValue]),
    ),
    outputs,
  };
}

function parameterMessages(parameters: Parameters): Record<string, object> {
  return Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, parameterMessage(value)]));
}

function parameterMessage(value: ParameterValue): object {
  if (typeof value === 'boolean') return { bool_param: value };
  if (typeof value === 'string') return { string_param: value };
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return { double_param: value };
  const whole = BigInt(value);
  const halves = { low: Number(BigInt.asIntN(32, whole)), high: Number(BigInt.asIntN(32, whole >> 32n)) };
  return whole >= 2n ** 63n
    ? { uint64_param: { ...halves, unsigned: true } }
    : { int64_param: { ...halves, unsigned: false } };
}
