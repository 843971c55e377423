// What both entries export: everything but the client itself, whose sockets differ.
export type { ClassifyOptions } from './classification.js';
export { type ClientReason, PenstockError } from './client-error.js';
export type { DataType, InputData, OutputData } from './data-type.js';
export type { GenerateAnswer, GenerateOptions, PlainInputs, PlainOutputs } from './generate.js';
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half-floats.js';
export type { ClientOptions, InputsOf } from './http-client.js';
export type { InFlightOptions } from './in-flight.js';
export { ModelStream, type ReconnectPolicy, type StreamOptions } from './model-stream.js';
export type * from './protocol.js';
export type { RetryPolicy } from './retry.js';
export { Sequence, type SequenceOptions, type SequenceStepOptions } from './sequence.js';
export type { Parts } from './streamed.js';
export { type AnyInputs, type AnyOutputs, type InputTensor, type OutputTensor, type Shape, textsOf } from './tensor.js';
