import { z } from 'zod';
import { fileName, positive32 } from './fields.js';

/** Texts in, vectors or scores out: what of a model's config the embedding protocols go by. */
export const textFields = z.strictObject({
  task: z
    .enum(['embed', 'sparse', 'rerank', 'classify'])
    .optional()
    .describe(
      'What an answer is: a vector of a text (embed, the default), a weight for each token of the vocabulary (sparse: SPLADE), a score of a pair of texts, scores of classes',
    ),
  tokenizer: fileName()
    .optional()
    .describe('Hugging Face tokenizer.json, in the folder of the model; default tokenizer.json'),
  ids: z.string().min(1).optional().describe('Input that takes token ids; default input_ids, ids, or the only input'),
  mask: z
    .string()
    .min(1)
    .optional()
    .describe('Input that is 1 for each token and 0 for padding; default attention_mask or mask, where there is one'),
  types: z
    .string()
    .min(1)
    .optional()
    .describe('Input that tells two texts apart; default token_type_ids, where there is one'),
  output: z
    .string()
    .min(1)
    .optional()
    .describe('Output that is answered; default sentence_embedding, last_hidden_state, logits, or the only output'),
  pooling: z
    .enum(['cls', 'mean', 'last', 'splade', 'none'])
    .optional()
    .describe(
      'How an output of one row a token becomes a vector: the first, the mean, the last, splade (of each number the highest log(1 + relu): logits of a masked language model; task sparse); none: it is one already. Default none where the output has no axis of tokens, else splade with task sparse and mean without',
    ),
  normalize: z.boolean().optional().describe('Vectors have the length 1, where a request does not say; default true'),
  max_tokens: positive32()
    .optional()
    .describe("Most tokens of a text, special ones included; default the tokenizer's truncation.max_length, else 512"),
  max_batch_tokens: positive32()
    .optional()
    .describe('Most tokens of a batch, padding included, where the config has no padding of its own; default 16384'),
  auto_truncate: z
    .boolean()
    .optional()
    .describe('Cut longer texts where a request does not say; default false: they are refused'),
  truncation_direction: z.enum(['left', 'right']).optional().describe('Which side is cut off; default right'),
  prompts: z
    .record(z.string(), z.string())
    .optional()
    .describe('What is put before a text, by the name that requests choose it by (prompt_name)'),
  default_prompt: z.string().optional().describe('Name of the prompt of requests that name none'),
});
