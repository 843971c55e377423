import { badAnswer } from './client-error.js';
import { isDataType } from './data-type.js';
import type { InferAnswer, InferOptions, Parameters } from './protocol.js';
import { type AnyOutputs, outputTensor, type Shape, type WireTensor } from './tensor.js';

/** One request in the binary form: JSON without its tensors, which follow it. */
export interface InferMessage {
  readonly json: Uint8Array;
  readonly tensors: readonly WireTensor[];
}

/** What a request says beside its tensors, here and on every other wire. */
export interface RequestExtras {
  readonly id: string;
  readonly parameters: Parameters;
  readonly outputs: readonly { readonly name: string; readonly classification: number }[];
}

/** The extras of a request; `classification`: the k best of each output in place of its elements, 0 = no. */
export function extrasOf({ id = '', outputs = [], parameters = {}, priority }: InferOptions, k = 0): RequestExtras {
  return {
    id,
    parameters: priority === undefined ? parameters : { ...parameters, priority },
    outputs: outputs.map((name) => ({ name, classification: k })),
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A request as JSON and tensors; all outputs are asked for as binary tensors. */
export function inferMessage(tensors: readonly WireTensor[], { id, parameters, outputs }: RequestExtras): InferMessage {
  const fields = [
    ...(id === '' ? [] : [`"id":${JSON.stringify(id)}`]),
    `"parameters":${parametersText({ ...parameters, binary_data_output: true })}`,
    `"inputs":${JSON.stringify(tensors.map(headOf))}`,
    ...(outputs.length === 0 ? [] : [`"outputs":${JSON.stringify(outputs.map(asked))}`]),
  ];
  return { json: encoder.encode(`{${fields.join(',')}}`), tensors };
}

/** One body of all parts, behind `before` bytes that are left zero. */
export function joined({ json, tensors }: InferMessage, before = 0): Uint8Array<ArrayBuffer> {
  const total = tensors.reduce((bytes, tensor) => bytes + tensor.bytes.length, before + json.length);
  const out = new Uint8Array(total);
  out.set(json, before);
  let at = before + json.length;
  for (const { bytes } of tensors) {
    out.set(bytes, at);
    at += bytes.length;
  }
  return out;
}

interface AnswerHead {
  readonly model_name?: unknown;
  readonly model_version?: unknown;
  readonly id?: unknown;
  readonly parameters?: Parameters;
  readonly outputs?: readonly {
    readonly name: string;
    readonly datatype: string;
    readonly shape: Shape;
    readonly parameters?: { readonly binary_data_size?: number };
  }[];
}

/** The answer that a body is: `jsonBytes` of JSON, then the tensors. Throws `BAD_ANSWER`. */
export function readAnswer(body: Uint8Array, jsonBytes: number): InferAnswer {
  const head = parsed<AnswerHead>(body.subarray(0, jsonBytes));
  if (!Array.isArray(head.outputs)) throw badAnswer('the answer has no outputs');
  let at = jsonBytes;
  const outputs: Record<string, AnyOutputs[string]> = {};
  for (const { name, datatype, shape, parameters } of head.outputs as NonNullable<AnswerHead['outputs']>) {
    const size = parameters?.binary_data_size;
    if (size === undefined) throw badAnswer(`output '${name}' came as JSON, a binary tensor was asked for`);
    if (!isDataType(datatype)) throw badAnswer(`output '${name}' has the unknown data type ${datatype}`);
    if (at + size > body.length) throw badAnswer(`output '${name}' is cut off`);
    outputs[name] = outputTensor({ name, datatype, shape, bytes: body.subarray(at, at + size) });
    at += size;
  }
  return {
    model: String(head.model_name ?? ''),
    version: String(head.model_version ?? ''),
    id: String(head.id ?? ''),
    parameters: head.parameters ?? {},
    outputs,
  };
}

/** The object that JSON bytes are. Throws `BAD_ANSWER`. */
export function parsed<T extends object>(bytes: Uint8Array): T {
  try {
    const value: unknown = JSON.parse(decoder.decode(bytes));
    if (typeof value === 'object' && value !== null) return value as T;
  } catch (thrown) {
    throw badAnswer('the answer is not JSON', thrown);
  }
  throw badAnswer('the answer is not a JSON object');
}

function headOf({ name, datatype, shape, bytes }: WireTensor): object {
  return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
}

function asked({ name, classification }: RequestExtras['outputs'][number]): object {
  return classification === 0 ? { name } : { name, parameters: { classification } };
}

/** `JSON.stringify` refuses bigints; the protocol's integers have 64 bits. */
function parametersText(parameters: Parameters): string {
  const fields = Object.entries(parameters).map(
    ([name, value]) => `${JSON.stringify(name)}:${typeof value === 'bigint' ? value : JSON.stringify(value)}`,
  );
  return `{${fields.join(',')}}`;
}
