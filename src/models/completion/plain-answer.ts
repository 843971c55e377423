import type { ModelConfig } from '../../config/index.js';
import {
  DATA_TYPES,
  type DataType,
  dataTypeOfTriton,
  didYouMean,
  type PlainAnswer,
  ServingError,
} from '../../core/index.js';
import type { CompletedTensors } from './config-parts.js';

/** `plain_answer` of a config, checked against the model's outputs. Throws MODEL_INVALID. */
export function plainAnswerOf(
  { plain_answer: declared }: Pick<ModelConfig, 'plain_answer'>,
  { outputs }: CompletedTensors,
): PlainAnswer | undefined {
  if (declared === undefined) return undefined;
  const names = outputs.map(({ name }) => name);
  const known = (field: string, name: string): void => {
    if (!names.includes(name))
      throw invalid(
        field,
        `expected one of ${names.join(', ')}, the outputs of the model, found '${name}'${didYouMean(name, names)}`,
      );
  };
  declared.outputs?.forEach((name, i) => {
    known(`plain_answer.outputs[${i}]`, name);
    if (declared.outputs?.indexOf(name) !== i) throw invalid(`plain_answer.outputs[${i}]`, `'${name}' is given twice`);
  });
  const given = declared.outputs ?? names;
  for (const name of Object.keys(declared.top ?? {})) {
    known('plain_answer.top', name);
    if (!given.includes(name)) throw invalid('plain_answer.top', `'${name}' is not among the outputs of the answer`);
    const type = outputs.find((output) => output.name === name)?.data_type ?? '';
    const { json } = DATA_TYPES[dataTypeOfTriton(type) as DataType];
    if (json !== 'float' && json !== 'integer' && json !== 'integer64')
      throw invalid('plain_answer.top', `expected an output of numbers, '${name}' is ${type}`);
  }
  if (declared.bare === true && given.length !== 1)
    throw invalid(
      'plain_answer.bare',
      `expected an answer of one output, it has ${given.join(', ')}: choose with plain_answer.outputs`,
    );
  return { outputs: declared.outputs ?? [], top: declared.top ?? {}, bare: declared.bare ?? false };
}

function invalid(field: string, why: string): ServingError {
  return new ServingError('MODEL_INVALID', `${field}: ${why}`);
}
