import {
  type DeclaredSignature,
  type InferenceResponse,
  type ModelSpec,
  type OutputRequest,
  ServingError,
  type SignatureMethod,
  type Tensor,
  type TensorSpec,
} from '../../../core/index.js';
import { SIGNATURE, unknownSignature } from '../../codec/index.js';

/** What a request asks of a model, in the names of one of its two sides. */
export interface Asked {
  readonly inputs: readonly Tensor[];
  /** Empty = all. */
  readonly outputs: readonly OutputRequest[];
}

/** A model as one of its signatures shows it. */
export interface SignedModel {
  readonly signature: string;
  /** Undefined: `serving_default` of a model that declares none of that name, which is all of it by its own names. */
  readonly declared: DeclaredSignature | undefined;
  /** Inputs and outputs by their names in the signature. */
  readonly spec: ModelSpec;
}

/**
 * A model by the signature that a request names; empty: `serving_default`. Throws, with TensorFlow Serving's codes, for one that the model has
 * not, or that is for another method.
 */
export function signedModel(spec: ModelSpec, name: string, method: SignatureMethod): SignedModel {
  const wanted = name === '' ? SIGNATURE : name;
  const declared = spec.signatures?.find((signature) => signature.name === wanted);
  if (declared === undefined) {
    if (wanted !== SIGNATURE) throw unknownSignature(wanted, method);
    return { signature: SIGNATURE, declared, spec };
  }
  if (method !== 'predict' && declared.method !== method)
    throw new ServingError(
      'MALFORMED_REQUEST',
      `Expected ${NOUNS[method]} signature method_name to be ${METHOD_NAMES[method]}. Was: ${METHOD_NAMES[declared.method]}`,
    );
  const view = {
    ...spec,
    inputs: shownAs(declared.inputs, spec.inputs),
    outputs: shownAs(declared.outputs, spec.outputs),
  };
  return { signature: wanted, declared, spec: view };
}

/** TensorFlow's names of methods. */
export const METHOD_NAMES: Readonly<Record<SignatureMethod, string>> = {
  predict: 'tensorflow/serving/predict',
  classify: 'tensorflow/serving/classify',
  regress: 'tensorflow/serving/regress',
};

const NOUNS = { classify: 'classification', regress: 'regression' } as const;

/** What a request asks for, by the model's own names. Throws UNKNOWN_INPUT, MISSING_INPUT and UNKNOWN_OUTPUT by those of the signature. */
export function ownNames({ signature, declared, spec }: SignedModel, { inputs, outputs }: Asked): Asked {
  if (declared === undefined) return { inputs, outputs };
  for (const { name, optional } of spec.inputs)
    if (!optional && !inputs.some((input) => input.name === name))
      throw new ServingError(
        'MISSING_INPUT',
        `signature '${signature}' needs an input '${name}', the request has none`,
      );
  const asked = outputs.length > 0 ? outputs : spec.outputs.map(({ name }) => ({ name, classification: 0 }));
  return {
    inputs: inputs.map((input) => ({
      ...input,
      name: ownName(declared.inputs, input.name, 'UNKNOWN_INPUT', signature),
    })),
    outputs: asked.map((output) => ({
      ...output,
      name: ownName(declared.outputs, output.name, 'UNKNOWN_OUTPUT', signature),
    })),
  };
}

/** The outputs of the signature, by their names in it. */
export function signedResponse({ declared }: SignedModel, response: InferenceResponse): InferenceResponse {
  if (declared === undefined) return response;
  const outputs = Object.entries(declared.outputs).flatMap(([alias, name]) => {
    const found = response.outputs.find((output) => output.name === name);
    return found === undefined ? [] : [{ ...found, name: alias }];
  });
  return { ...response, outputs };
}

function ownName(
  names: Readonly<Record<string, string>>,
  alias: string,
  reason: 'UNKNOWN_INPUT' | 'UNKNOWN_OUTPUT',
  signature: string,
): string {
  const own = Object.hasOwn(names, alias) ? names[alias] : undefined;
  if (own !== undefined) return own;
  const what = reason === 'UNKNOWN_INPUT' ? 'input' : 'output';
  const there = Object.keys(names).join(', ');
  throw new ServingError(reason, `${what} '${alias}' is not in signature '${signature}', expected one of ${there}`);
}

function shownAs(names: Readonly<Record<string, string>>, tensors: readonly TensorSpec[]): readonly TensorSpec[] {
  return Object.entries(names).flatMap(([alias, name]) => {
    const found = tensors.find((tensor) => tensor.name === name);
    return found === undefined ? [] : [{ ...found, name: alias }];
  });
}
