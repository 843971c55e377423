import type protobuf from 'protobufjs';
import { ServingError } from '../../../core/index.js';
import { protoRoot } from './proto-root.js';

/** One call of a service as a gRPC server needs it. */
export interface Call {
  readonly name: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /**
   * Request bytes to a plain object: field names as in the proto file, defaults filled in, 64-bit integers as numbers,
   * parameters as plain values. Throws `MALFORMED_REQUEST`. The inference calls pass the bytes through, for
   * `decodeModelInfer`.
   */
  decode(bytes: Uint8Array): unknown;
  /**
   * An answer to bytes: an object with the message's field names, or what the REST protocol answers with (a repository
   * index as an array, a bare model config). Unknown keys are left out. The inference calls pass a `Buffer` through.
   */
  encode(answer: unknown): Buffer;
}

type PlainObject = Record<string, unknown>;

/** Calls whose messages are read and written by hand: the hot path. */
const BY_HAND: readonly string[] = [
  'inference.GRPCInferenceService/ModelInfer',
  'inference.GRPCInferenceService/ModelStreamInfer',
  'tensorflow.serving.PredictionService/Predict',
];
/** Calls whose requests are read by hand, and whose answers are not written so. */
const READ_BY_HAND: readonly string[] = [
  'tensorflow.serving.PredictionService/Classify',
  'tensorflow.serving.PredictionService/Regress',
  'tensorflow.serving.PredictionService/MultiInference',
];

/** What differs between a REST answer and its message. */
const ANSWER_AS_MESSAGE: Readonly<Record<string, (answer: unknown) => unknown>> = {
  RepositoryIndex: (answer) => (Array.isArray(answer) ? { models: answer } : answer),
  ModelConfig: (answer) => (hasOwn(answer, 'config') ? answer : { config: answer }),
};

const tables = new Map<string, readonly Call[]>();

/** The 20 calls of `inference.GRPCInferenceService`. */
export function inferenceCalls(): readonly Call[] {
  return callsOf('inference.GRPCInferenceService');
}

/** `Check` and `Watch` of `grpc.health.v1.Health`; status goes by name: `SERVING`, `NOT_SERVING`, `SERVICE_UNKNOWN`. */
export function healthCalls(): readonly Call[] {
  return callsOf('grpc.health.v1.Health');
}

/** The calls of TensorFlow Serving's `PredictionService`; `Predict` and those with examples pass their requests through. */
export function predictionCalls(): readonly Call[] {
  return callsOf('tensorflow.serving.PredictionService');
}

/** Those of its `ModelService`. */
export function modelServiceCalls(): readonly Call[] {
  return callsOf('tensorflow.serving.ModelService');
}

/** Those of its `SessionService`. */
export function sessionCalls(): readonly Call[] {
  return callsOf('tensorflow.serving.SessionService');
}

/** The calls of text-embeddings-inference's services. */
export function teiCalls(): readonly Call[] {
  return ['Info', 'Embed', 'Predict', 'Rerank', 'Tokenize'].flatMap((service) => callsOf(`tei.v1.${service}`));
}

/** Bytes of a message of `protos/` by its full name, from an object with its field names; unknown keys are left out. */
export function messageBytes(type: string, object: PlainObject): Uint8Array {
  const found = protoRoot().lookupType(type);
  return found.encode(found.fromObject(object)).finish();
}

/** `ServerReflectionInfo` of both published versions; see `answerReflection`. */
export function reflectionCalls(): readonly Call[] {
  return [...callsOf('grpc.reflection.v1.ServerReflection'), ...callsOf('grpc.reflection.v1alpha.ServerReflection')];
}

function callsOf(serviceName: string): readonly Call[] {
  let calls = tables.get(serviceName);
  if (calls === undefined) {
    const service = protoRoot().lookupService(serviceName);
    calls = service.methodsArray.map((method) => callOf(serviceName, method));
    tables.set(serviceName, calls);
  }
  return calls;
}

function callOf(serviceName: string, method: protobuf.Method): Call {
  const { name, resolvedRequestType: request, resolvedResponseType: response } = method;
  if (request === null || response === null) throw new Error(`${serviceName}.${name} has no types`);
  const asMessage = ANSWER_AS_MESSAGE[name] ?? ((answer: unknown) => answer);
  const place = `${serviceName}/${name}`;
  const byHand = BY_HAND.includes(place);
  return {
    name,
    path: `/${place}`,
    requestStream: method.requestStream === true,
    responseStream: method.responseStream === true,
    decode: byHand || READ_BY_HAND.includes(place) ? (bytes) => bytes : (bytes) => decodeMessage(request, bytes),
    encode: byHand
      ? (answer) => answer as Buffer
      : (answer) => Buffer.from(response.encode(response.fromObject(asMessage(answer) as PlainObject)).finish()),
  };
}

function decodeMessage(type: protobuf.Type, bytes: Uint8Array): PlainObject {
  let object: PlainObject;
  try {
    object = type.toObject(type.decode(bytes), { defaults: true, longs: Number, enums: String, oneofs: true });
  } catch (cause) {
    throw new ServingError('MALFORMED_REQUEST', `the message is not a valid ${type.fullName.slice(1)}`, { cause });
  }
  if (type.fields.parameters?.map === true) object.parameters = plainParameters(object.parameters as PlainObject);
  return object;
}

/** `ModelRepositoryParameter` values as the one value each holds, the way JSON has them. */
function plainParameters(parameters: PlainObject): PlainObject {
  const plain = Object.create(null) as PlainObject;
  for (const [name, parameter] of Object.entries(parameters)) {
    const { parameter_choice: choice } = parameter as { readonly parameter_choice?: string };
    if (choice === undefined)
      throw new ServingError('MALFORMED_REQUEST', `parameter ${JSON.stringify(name)} has no value`);
    plain[name] = (parameter as PlainObject)[choice];
  }
  return plain;
}

function hasOwn(object: unknown, key: string): boolean {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, key);
}
