const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const tokenIds = { type: 'array', minItems: 1, items: { type: 'integer', minimum: 0 } } as const;
const oneInput = { oneOf: [text, tokenIds] } as const;
const inputs = {
  description: 'A text, the ids of its tokens, or a list of either.',
  oneOf: [text, tokenIds, { type: 'array', minItems: 1, items: oneInput }],
} as const;
const texts = { type: 'array', minItems: 1, items: text } as const;
const vector = { type: 'array', items: { type: 'number' } } as const;
const vectors = { type: 'array', items: vector } as const;
const count = { type: 'integer', minimum: 0 } as const;

/** What every body of text-embeddings-inference may say. */
const choice = {
  truncate: {
    ...flag,
    description: "Cut texts that are too long; else they are refused. Default: the model's config.",
  },
  truncation_direction: { enum: ['left', 'right', 'Left', 'Right'] },
  prompt_name: { ...text, description: "A prompt of the model's config, put before each text." },
  model: { ...text, description: 'Not of text-embeddings-inference: which model, where there are several.' },
} as const;

/** JSON Schemas (2020-12) of the bodies of OpenAI's embeddings and of text-embeddings-inference. */
export const TEXT_SCHEMAS = {
  OpenAiEmbeddings: {
    type: 'object',
    required: ['input'],
    properties: {
      input: inputs,
      model: { ...text, description: 'Default: the only model of embeddings.' },
      encoding_format: { enum: ['float', 'base64'] },
      dimensions: { type: 'integer', minimum: 1, description: 'Vectors are cut to as many numbers, and normalised.' },
      user: { ...text, description: 'Not used.' },
    },
  },
  OpenAiVectors: {
    type: 'object',
    required: ['object', 'data', 'model', 'usage'],
    properties: {
      object: { const: 'list' },
      data: {
        type: 'array',
        items: {
          type: 'object',
          required: ['object', 'index', 'embedding'],
          properties: { object: { const: 'embedding' }, index: count, embedding: { oneOf: [vector, text] } },
        },
      },
      model: text,
      usage: { type: 'object', properties: { prompt_tokens: count, total_tokens: count } },
    },
  },
  OpenAiError: {
    type: 'object',
    required: ['error'],
    properties: {
      error: {
        type: 'object',
        required: ['message', 'type', 'param', 'code'],
        properties: {
          message: text,
          type: text,
          param: { type: ['string', 'null'] },
          code: { type: ['string', 'null'] },
        },
      },
    },
  },
  TeiEmbed: {
    type: 'object',
    required: ['inputs'],
    properties: { inputs, normalize: flag, dimensions: { type: 'integer', minimum: 1 }, ...choice },
  },
  TeiVectors: vectors,
  TeiTokenVectors: { type: 'array', items: vectors },
  TeiEmbedSparse: { type: 'object', required: ['inputs'], properties: { inputs, ...choice } },
  TeiSparseVectors: {
    type: 'array',
    items: {
      type: 'array',
      items: {
        type: 'object',
        required: ['index', 'value'],
        properties: { index: count, value: { type: 'number' } },
      },
    },
  },
  TeiSimilarity: {
    type: 'object',
    required: ['inputs'],
    properties: {
      inputs: {
        type: 'object',
        required: ['source_sentence', 'sentences'],
        properties: { source_sentence: text, sentences: texts },
      },
      parameters: { type: 'object', properties: choice },
    },
  },
  TeiSimilarities: vector,
  RankedDocuments: {
    type: 'object',
    required: ['query', 'documents'],
    properties: {
      query: text,
      documents: {
        type: 'array',
        minItems: 1,
        items: { oneOf: [text, { type: 'object', required: ['text'], properties: { text } }] },
      },
      top_n: { type: 'integer', minimum: 1 },
      return_documents: flag,
      truncation: { ...flag, description: 'Cut documents that are too long: the default.' },
      model: { ...text, description: 'Default: the only model of task rerank.' },
    },
  },
  DocumentRanks: {
    type: 'object',
    required: ['model', 'results', 'usage'],
    properties: {
      model: text,
      results: {
        type: 'array',
        items: {
          type: 'object',
          required: ['index', 'relevance_score'],
          properties: {
            index: count,
            relevance_score: { type: 'number' },
            document: { type: 'object', properties: { text } },
          },
        },
      },
      usage: { type: 'object', properties: { prompt_tokens: count, total_tokens: count } },
    },
  },
  TeiRerank: {
    type: 'object',
    description: 'Or with `documents`, as /v1/rerank has it.',
    required: ['query'],
    properties: { query: text, texts, raw_scores: flag, return_text: flag, ...choice },
  },
  TeiRanks: {
    type: 'array',
    items: {
      type: 'object',
      required: ['index', 'score'],
      properties: { index: count, text, score: { type: 'number' } },
    },
  },
  TeiPredict: {
    type: 'object',
    required: ['inputs'],
    properties: {
      inputs: {
        description: 'A text, a pair of texts, or a list of lists of one text or two.',
        oneOf: [text, { type: 'array' }],
      },
      raw_scores: flag,
      ...choice,
    },
  },
  TeiPredictions: { type: 'array', items: {} },
  TeiTokenize: {
    type: 'object',
    required: ['inputs'],
    properties: {
      inputs: { oneOf: [text, texts] },
      add_special_tokens: flag,
      prompt_name: choice.prompt_name,
      model: choice.model,
    },
  },
  TeiTokens: {
    type: 'array',
    items: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id', 'text', 'special', 'start', 'stop'],
        properties: {
          id: count,
          text,
          special: flag,
          start: { type: ['integer', 'null'] },
          stop: { type: ['integer', 'null'] },
        },
      },
    },
  },
  TeiDecode: {
    type: 'object',
    required: ['ids'],
    properties: {
      ids: { oneOf: [tokenIds, { type: 'array', minItems: 1, items: tokenIds }] },
      skip_special_tokens: flag,
      model: choice.model,
    },
  },
  TeiTexts: { type: 'array', items: text },
  TeiInfo: { type: 'object', properties: { model_id: text, max_input_length: count, max_client_batch_size: count } },
} as const;
