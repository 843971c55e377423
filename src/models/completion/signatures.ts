import type { ModelConfig } from '../../config/index.js';
import { type DeclaredSignature, didYouMean, ServingError } from '../../core/index.js';
import type { CompletedTensors } from './config-parts.js';

/** `signatures` of a config, checked against the model's tensors. Throws MODEL_INVALID. */
export function signaturesOf(
  { signatures: declared }: Pick<ModelConfig, 'signatures'>,
  { inputs, outputs }: CompletedTensors,
): readonly DeclaredSignature[] | undefined {
  if (declared === undefined) return undefined;
  return Object.entries(declared).map(([name, signature]) => {
    const taken = named(`signatures.${name}.inputs`, signature.inputs, inputs, 'inputs');
    const lacks = inputs.find((input) => input.optional !== true && !Object.values(taken).includes(input.name));
    if (lacks !== undefined)
      throw invalid(`signatures.${name}.inputs`, `input '${lacks.name}' lacks, which the model cannot do without`);
    return {
      name,
      method: signature.method ?? 'predict',
      inputs: taken,
      outputs: named(`signatures.${name}.outputs`, signature.outputs, outputs, 'outputs'),
    };
  });
}

/** Tensors of the model by their names in the signature: all by their own where it names none. */
function named(
  field: string,
  given: Readonly<Record<string, string>> | undefined,
  tensors: readonly { readonly name: string }[],
  what: string,
): Readonly<Record<string, string>> {
  const own = tensors.map(({ name }) => name);
  if (given === undefined) return Object.fromEntries(own.map((name) => [name, name]));
  const seen = new Map<string, string>();
  for (const [alias, name] of Object.entries(given)) {
    if (!own.includes(name))
      throw invalid(
        `${field}.${alias}`,
        `expected one of ${own.join(', ')}, the ${what} of the model, found '${name}'${didYouMean(name, own)}`,
      );
    const other = seen.get(name);
    if (other !== undefined) throw invalid(`${field}.${alias}`, `'${name}' is '${other}' already`);
    seen.set(name, alias);
  }
  return given;
}

function invalid(field: string, why: string): ServingError {
  return new ServingError('MODEL_INVALID', `${field}: ${why}`);
}
