import { badAnswer, PenstockError } from './client-error.js';
import type { InferOptions, ParameterValue } from './protocol.js';
import type { AnyInputs, AnyOutputs, InputTensor, OutputTensor, Shape } from './tensor.js';

/** What a generate call says beside its inputs. */
export type GenerateOptions = Omit<InferOptions, 'outputs'>;

type ElementIn<D> = D extends 'BOOL'
  ? boolean
  : D extends 'BYTES'
    ? string
    : D extends 'INT64' | 'UINT64'
      ? number | bigint
      : number;
type ElementOut<D> = D extends 'BOOL' ? boolean : D extends 'BYTES' ? string : number;
type Numbers<T> = T extends { readonly data: infer A extends ArrayBufferView } ? A : never;
type PlainInput<T extends InputTensor> = T extends InputTensor
  ? ElementIn<NonNullable<T['datatype']>> | readonly ElementIn<NonNullable<T['datatype']>>[] | Numbers<T>
  : never;

type IsOne<S> = S extends readonly [] ? true : S extends readonly [1, ...infer Rest] ? IsOne<Rest> : false;
type PlainOutput<T> =
  T extends OutputTensor<infer D, infer S extends Shape>
    ? IsOne<S> extends true
      ? ElementOut<D>
      : ElementOut<D> | readonly ElementOut<D>[]
    : never;

/** Inputs by name as `generate` takes them: a value, or a flat list. */
export type PlainInputs<I = AnyInputs> = {
  readonly [K in keyof I]: Exclude<I[K], undefined> extends infer T extends InputTensor ? PlainInput<T> : never;
};

/** Outputs by name as `generate` gives them: an element where there is one, else a flat list. */
export type PlainOutputs<O = AnyOutputs> = { readonly [K in keyof O]: PlainOutput<O[K]> };

/** An answer of `generate`, or one part of `generateStream`. */
export interface GenerateAnswer<O = AnyOutputs> {
  readonly model: string;
  /** The version that answered. */
  readonly version: string;
  readonly id: string;
  readonly outputs: PlainOutputs<O>;
}

/** The body of a generate call. */
export function generateBody(
  inputs: object,
  { id, parameters = {}, priority }: Pick<GenerateOptions, 'id' | 'parameters' | 'priority'>,
): string {
  const all: Readonly<Record<string, ParameterValue>> =
    priority === undefined ? parameters : { ...parameters, priority };
  const fields = { ...(id === undefined ? {} : { id }), ...inputs };
  return JSON.stringify({ ...fields, ...(Object.keys(all).length === 0 ? {} : { parameters: all }) }, plain);
}

/** The answer that the text of a response is. Throws what it says went wrong, or `BAD_ANSWER`. */
export function generateAnswer(text: string): GenerateAnswer {
  let told: Record<string, unknown>;
  try {
    told = JSON.parse(text) as Record<string, unknown>;
  } catch (thrown) {
    throw badAnswer('the answer is not JSON', thrown);
  }
  const { model_name: model, model_version: version, id, ...outputs } = told;
  // The status went out with the first part: an error after it is text alone.
  if (model === undefined && typeof outputs.error === 'string')
    throw new PenstockError(outputs.error, { status: 0, reason: '' });
  return {
    model: String(model ?? ''),
    version: String(version ?? ''),
    id: String(id ?? ''),
    outputs: outputs as PlainOutputs,
  };
}

/** JSON has no bigints, which the server takes as texts, and of typed arrays it would make objects. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return ArrayBuffer.isView(value)
    ? Array.from(value as unknown as ArrayLike<unknown>, (one) => plain('', one))
    : value;
}
