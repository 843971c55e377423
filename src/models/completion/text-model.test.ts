import { describe, expect, it } from 'vitest';
import { type ModelConfig, parseModelConfig } from '../../config/index.js';
import type { CompletedTensors } from './config-parts.js';
import { shapePolicyOf } from './shape-policy.js';
import { paddingOfTexts, textModelOf } from './text-model.js';

const ints = (name: string) => ({ name, data_type: 'TYPE_INT64', dims: [-1] });
const TENSORS: CompletedTensors = {
  maxBatchSize: 8,
  inputs: [ints('input_ids'), ints('attention_mask'), ints('token_type_ids')],
  outputs: [
    { name: 'last_hidden_state', data_type: 'TYPE_FP32', dims: [-1, 48] },
    { name: 'pooler_output', data_type: 'TYPE_FP32', dims: [48] },
  ],
  dynamicBatching: {},
};
const FOUND = {
  source: { key: 'k', json: new SharedArrayBuffer(0) },
  facts: { vocabularySize: 100, padId: 3, maxLength: 64, specialTokens: 2, specialTokensOfPair: 3 },
};

const config = (text: string): ModelConfig => parseModelConfig(text, 'yaml', 'm/config.yaml').config;
const model = (text: string, tensors = TENSORS) => textModelOf(config(text).text!, tensors, FOUND);

describe('a model of texts', () => {
  it('is told by the names that exports have, and by its tokenizer', () => {
    expect(model('text: {}')).toEqual({
      task: 'embed',
      tokenizer: FOUND.source,
      ids: 'input_ids',
      mask: 'attention_mask',
      types: 'token_type_ids',
      output: 'last_hidden_state',
      pooling: 'mean',
      normalize: true,
      maxTokens: 64,
      autoTruncate: false,
      truncationDirection: 'right',
      prompts: {},
      defaultPrompt: undefined,
    });
    expect(model('text: { output: pooler_output }').pooling).toBe('none');
    const plain = { ...TENSORS, inputs: [ints('tokens')], outputs: [TENSORS.outputs[1]!] };
    expect(model('text: { max_tokens: 9 }', plain)).toMatchObject({ ids: 'tokens', mask: undefined, maxTokens: 9 });
  });

  it('has its fields in pbtxt as parameters', () => {
    const pbtxt = ['task=rerank', 'auto_truncate=true', 'max_tokens=9', 'prompts={"q":"query: "}', 'default_prompt=q']
      .map((one) => one.split('='))
      .map(
        ([name, value]) =>
          `parameters { key: "penstock.text.${name}" value { string_value: ${JSON.stringify(value)} } }`,
      );
    expect(parseModelConfig(pbtxt.join('\n'), 'pbtxt', 'm/config.pbtxt').config.text).toEqual({
      task: 'rerank',
      auto_truncate: true,
      max_tokens: 9,
      prompts: { q: 'query: ' },
      default_prompt: 'q',
    });
  });

  it('lets texts of different lengths share a batch where it has a mask', () => {
    const padding = paddingOfTexts(model('text: {}'), TENSORS, 3);
    const { inputs, outputs, batching } = shapePolicyOf({ padding }, TENSORS);
    expect(batching).toEqual({ maxBatchTokens: 16_384 });
    expect([...inputs].map(([name, { axes, padValue }]) => [name, axes, padValue])).toEqual([
      ['input_ids', [1], 3],
      ['attention_mask', [1], 0],
      ['token_type_ids', [1], 0],
    ]);
    expect([...outputs.keys()]).toEqual(['last_hidden_state']);
    const unmasked = { ...TENSORS, inputs: [ints('input_ids')] };
    expect(paddingOfTexts(model('text: {}', unmasked), unmasked, 3)).toBeUndefined();
  });

  it.each([
    ['text: { ids: inputs_id }', TENSORS, /text.ids: expected one of .* found 'inputs_id'.*input_ids/],
    ['text: {}', { ...TENSORS, inputs: [...TENSORS.inputs, ints('position_ids')] }, /found 'position_ids'/],
    [
      'text: {}',
      { ...TENSORS, inputs: [{ ...ints('input_ids'), data_type: 'TYPE_FP32' }] },
      /TYPE_INT64 or TYPE_INT32/,
    ],
    [
      'text: {}',
      { ...TENSORS, inputs: [{ ...ints('input_ids'), dims: [128] }] },
      /expected shape \[-1,-1\].*\[-1,128\]/,
    ],
    ['text: { pooling: cls, output: pooler_output }', TENSORS, /to pool \(cls\), found \[-1,48\]/],
    ['text: { pooling: none }', TENSORS, /expected a vector a text, found \[-1,-1,48\]/],
    ['text: { task: rerank, output: pooler_output }', TENSORS, /expected one number a text/],
    ['text: { task: rerank, output: pooler_output, pooling: cls }', TENSORS, /expected none with task rerank/],
    ['text: { max_tokens: 2 }', TENSORS, /more than the 2 special tokens/],
  ])('that %s cannot be is refused', (text, tensors, why) => {
    expect(() => model(text, tensors as CompletedTensors)).toThrow(why);
  });

  it('whose config names a prompt that there is not is refused', () => {
    expect(() => config('text: { prompts: { a: x }, default_prompt: b }')).toThrow(
      /one of text.prompts \(a\), got 'b'/,
    );
    expect(() => config('text: { poling: cls }')).toThrow(/poling/);
  });
});
