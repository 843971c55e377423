import {
  type InferenceRequest,
  type ModelSpec,
  ServingError,
  type Tensor,
  type TextModel,
  type TextUse,
} from '../../../core/index.js';
import type { RequestContext } from '../request-parts.js';
import { requestOfParts } from '../request-parts.js';

/** A text's token ids, and which of two texts each belongs to (undefined: all to the first). */
export interface TextTokens {
  readonly ids: Int32Array;
  readonly types: Int32Array | undefined;
}

/** The inference of one text, or of one pair: a row of the model's inputs, as long as its tokens. */
export function textRequest(
  spec: ModelSpec,
  text: TextModel,
  { ids, types }: TextTokens,
  context: RequestContext,
  texts: TextUse,
): InferenceRequest {
  const inputs = [integers(spec, text.ids, ids)];
  if (text.mask !== undefined) inputs.push(integers(spec, text.mask, new Int32Array(ids.length).fill(1)));
  if (text.types !== undefined) inputs.push(integers(spec, text.types, types ?? new Int32Array(ids.length)));
  // What the body lies in is not what the tensors lie in.
  const parts = { inputs, outputs: [{ name: text.output, classification: 0 }] };
  return { ...requestOfParts({ ...context, lease: undefined }, parts), texts };
}

/** Integers as the input's data type has them, `[1, length]`. */
function integers({ inputs }: ModelSpec, name: string, values: Int32Array): Tensor {
  const input = inputs.find((one) => one.name === name);
  if (input === undefined) throw new ServingError('INTERNAL', `the model has no input '${name}'`);
  const shape = [1, values.length];
  if (input.dataType === 'INT32') return { name, dataType: 'INT32', shape, data: bytesOf(values) };
  // Little-endian: the low half first; ids are never negative.
  const wide = new Int32Array(2 * values.length);
  for (let i = 0; i < values.length; i++) wide[2 * i] = values[i] as number;
  return { name, dataType: 'INT64', shape, data: bytesOf(wide) };
}

function bytesOf(values: Int32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
