import type { ModelConfig } from '../../config/index.js';
import {
  didYouMean,
  ServingError,
  type TextModel,
  type TokenizerFacts,
  type TokenizerSource,
} from '../../core/index.js';
import { type Complete, type CompletedTensors, type ConfigInput, type ConfigOutput, showDims } from './config-parts.js';

type TextConfig = NonNullable<ModelConfig['text']>;
type AnyTensor = Complete<ConfigInput> | Complete<ConfigOutput>;

/** Names that exports of transformers give their tensors, those that win first. */
const NAMES = {
  ids: ['input_ids', 'ids'],
  mask: ['attention_mask', 'mask'],
  types: ['token_type_ids'],
  output: ['sentence_embedding', 'last_hidden_state', 'logits'],
} as const;

/** Of an output with one row a token, where the config does not say. */
const POOLINGS = { embed: 'mean', sparse: 'splade', rerank: 'mean', classify: 'mean' } as const;

/** Most tokens of a text where neither config nor tokenizer says it: what BERT's kin take. */
const MOST_TOKENS = 512;
/** Of a batch, where the config does not say; text-embeddings-inference's. */
const MOST_BATCH_TOKENS = 16_384;

/** A tokenizer that was read and loaded. */
export interface FoundTokenizer {
  readonly source: TokenizerSource;
  readonly facts: TokenizerFacts;
}

/**
 * `text` of a config, checked against what the model takes and gives. Throws MODEL_INVALID naming the field, what was expected and
 * what was found.
 */
export function textModelOf(text: TextConfig, tensors: CompletedTensors, { source, facts }: FoundTokenizer): TextModel {
  const task = text.task ?? (text.pooling === 'splade' ? 'sparse' : 'embed');
  const { inputs, outputs } = tensors;
  const ids = picked('ids', text.ids, NAMES.ids, inputs) ?? onlyOne('ids', inputs);
  const mask = picked('mask', text.mask, NAMES.mask, inputs);
  const types = picked('types', text.types, NAMES.types, inputs);
  const used = [ids, mask, types].filter((one) => one !== undefined);
  for (const [field, tensor] of [
    ['ids', ids],
    ['mask', mask],
    ['types', types],
  ] as const)
    if (tensor !== undefined) checkInput(field, tensor, tensors.maxBatchSize);
  const unfed = inputs.find((input) => !(input.optional ?? false) && !used.includes(input));
  if (unfed !== undefined)
    throw invalid('ids', `expected no other inputs than ids, mask and types, found '${unfed.name}'`);
  const output = picked('output', text.output, NAMES.output, outputs) ?? onlyOne('output', outputs);
  const pooling = text.pooling ?? (rankOf(output, tensors.maxBatchSize) === 3 ? POOLINGS[task] : 'none');
  checkOutput(task, pooling, output, tensors.maxBatchSize);
  const maxTokens = text.max_tokens ?? facts.maxLength ?? MOST_TOKENS;
  const special = task === 'rerank' ? facts.specialTokensOfPair : facts.specialTokens;
  if (maxTokens <= special)
    throw invalid('max_tokens', `expected more than the ${special} special tokens of a text, found ${maxTokens}`);
  return {
    task,
    tokenizer: source,
    ids: ids.name,
    mask: mask?.name,
    types: types?.name,
    output: output.name,
    pooling,
    normalize: text.normalize ?? true,
    maxTokens,
    autoTruncate: text.auto_truncate ?? false,
    truncationDirection: text.truncation_direction ?? 'right',
    prompts: { ...text.prompts },
    defaultPrompt: text.default_prompt,
  };
}

/** Throws MODEL_INVALID where a model of texts is one whose requests are more than one text and its one answer. */
export function checkTextPolicies(config: ModelConfig): void {
  const { text, model_transaction_policy: policy, sequence_batching: sequences } = config;
  if (text === undefined) return;
  if (policy?.decoupled === true)
    throw new ServingError(
      'MODEL_INVALID',
      'text: expected a model with one answer a request, found model_transaction_policy.decoupled: true; leave one of them out',
    );
  if (sequences !== undefined)
    throw new ServingError(
      'MODEL_INVALID',
      'text: expected a model whose requests stand alone, found sequence_batching; leave one of them out',
    );
}

/**
 * The padding of a text model whose config declares none: a model with a mask ignores what is filled up, so texts of
 * different lengths may share a batch. Undefined: it has no mask, or no batches.
 */
export function paddingOfTexts(
  { ids, mask, types }: TextModel,
  { maxBatchSize, outputs }: CompletedTensors,
  padId: number,
  maxBatchTokens = MOST_BATCH_TOKENS,
): ModelConfig['padding'] {
  if (maxBatchSize === 0 || mask === undefined) return undefined;
  const inputs = [{ name: ids, axis: 1, value: padId }];
  for (const name of [mask, types]) if (name !== undefined) inputs.push({ name, axis: 1, value: 0 });
  const following = outputs.flatMap(({ name, dims }) =>
    dims.flatMap((dim, i) => (dim === -1 ? [{ name, axis: i + 1, follows: true }] : [])),
  );
  return { inputs, outputs: following, max_batch_tokens: maxBatchTokens };
}

/** The tensor that the config names, or else the first that has one of the usual names. */
function picked<T extends AnyTensor>(
  field: string,
  told: string | undefined,
  usual: readonly string[],
  tensors: readonly T[],
): T | undefined {
  if (told === undefined) {
    for (const name of usual) {
      const found = tensors.find((one) => one.name === name);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const names = tensors.map(({ name }) => name);
  const found = tensors.find(({ name }) => name === told);
  if (found === undefined)
    throw invalid(field, `expected one of ${names.join(', ')}, found '${told}'${didYouMean(told, names)}`);
  return found;
}

function onlyOne<T extends AnyTensor>(field: string, tensors: readonly T[]): T {
  const [first, ...others] = tensors;
  if (first === undefined || others.length > 0)
    throw invalid(field, `expected the name of one of ${tensors.map(({ name }) => name).join(', ')}, found none`);
  return first;
}

function rankOf({ dims }: AnyTensor, maxBatchSize: number): number {
  return dims.length + (maxBatchSize > 0 ? 1 : 0);
}

function checkInput(field: string, tensor: AnyTensor, maxBatchSize: number): void {
  const { name, data_type: type, dims } = tensor;
  if (type !== 'TYPE_INT64' && type !== 'TYPE_INT32')
    throw invalid(field, `expected an input of TYPE_INT64 or TYPE_INT32, found ${type} at '${name}'`);
  if (rankOf(tensor, maxBatchSize) !== 2 || dims.at(-1) !== -1)
    throw invalid(
      field,
      `expected shape [-1,-1] of batch and length, found ${shown(tensor, maxBatchSize)} at '${name}'`,
    );
}

const POOLINGS_OF: Readonly<Record<TextModel['task'], readonly TextModel['pooling'][]>> = {
  embed: ['cls', 'mean', 'last', 'none'],
  sparse: ['splade', 'none'],
  rerank: ['none'],
  classify: ['none'],
};
const FLOATS = ['TYPE_FP32', 'TYPE_FP16', 'TYPE_BF16', 'TYPE_FP64'];

function checkOutput(
  task: TextModel['task'],
  pooling: TextModel['pooling'],
  tensor: AnyTensor,
  maxBatchSize: number,
): void {
  const { name, data_type: type, dims } = tensor;
  if (!FLOATS.includes(type)) throw invalid('output', `expected an output of floats, found ${type} at '${name}'`);
  const fitting = POOLINGS_OF[task];
  if (!fitting.includes(pooling))
    throw invalid('pooling', `expected ${fitting.join(' or ')} with task ${task}, found ${pooling}`);
  const found = shown(tensor, maxBatchSize);
  if (pooling !== 'none') {
    if (rankOf(tensor, maxBatchSize) !== 3)
      throw invalid('output', `expected shape [-1,-1,size] to pool (${pooling}), found ${found} at '${name}'`);
    return;
  }
  const last = dims.at(-1) ?? 1;
  if (rankOf(tensor, maxBatchSize) > 2 || (task === 'rerank' && last !== 1 && last !== -1))
    throw invalid(
      'output',
      `expected ${task === 'rerank' ? 'one number' : 'a vector'} a text, found ${found} at '${name}'`,
    );
}

function shown({ dims }: AnyTensor, maxBatchSize: number): string {
  return showDims(maxBatchSize > 0 ? [-1, ...dims] : dims);
}

function invalid(field: string, why: string): ServingError {
  return new ServingError('MODEL_INVALID', `text.${field}: ${why}`);
}
