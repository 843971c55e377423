const value = {
  description:
    'A number, a string, true or false, {"b64": ...} for bytes, or arrays of these nested as the shape has it. NaN, Infinity and ' +
    '-Infinity may stand as bare words.',
} as const;

const text = { type: 'string' } as const;

const features = {
  type: 'object',
  description: 'Inputs by name: a value, or a flat list of values.',
  additionalProperties: value,
} as const;

const versions = {
  type: 'array',
  description: 'The newest first.',
  items: {
    type: 'object',
    properties: {
      version: text,
      state: { type: 'string', enum: ['UNKNOWN', 'START', 'LOADING', 'AVAILABLE', 'UNLOADING', 'END'] },
      status: { type: 'object', properties: { error_code: text, error_message: text } },
    },
  },
} as const;

/** What OpenAI's clients read of a model. */
const OPENAI_MODEL = {
  id: { type: 'string' },
  object: { const: 'model' },
  created: { type: 'integer', description: 'When this server began to serve, in seconds since 1970' },
  owned_by: { type: 'string' },
} as const;

/** JSON Schemas (2020-12) of the bodies of KServe V1 and of TensorFlow Serving's REST API. */
export const PREDICT_SCHEMAS = {
  V1Models: {
    type: 'object',
    required: ['models'],
    properties: {
      models: { type: 'array', items: { type: 'string' } },
      object: { const: 'list' },
      data: { type: 'array', items: { type: 'object', properties: OPENAI_MODEL } },
    },
  },
  V1ModelStatus: {
    type: 'object',
    required: ['name', 'ready', 'model_version_status'],
    properties: {
      name: { type: 'string' },
      ready: { type: 'boolean' },
      model_version_status: versions,
      ...OPENAI_MODEL,
    },
  },
  V1VersionStatus: {
    type: 'object',
    required: ['model_version_status'],
    properties: { model_version_status: versions },
  },
  V1Metadata: {
    type: 'object',
    required: ['model_spec', 'metadata'],
    properties: {
      model_spec: {
        type: 'object',
        properties: { name: text, signature_name: text, version: text },
      },
      metadata: { type: 'object', description: 'signature_def.signature_def: SignatureDef by its name.' },
    },
  },
  V1Predict: {
    type: 'object',
    description: 'Either "instances" or "inputs".',
    properties: {
      signature_name: {
        type: 'string',
        description: '"serving_default", or one that the config of the model declares.',
      },
      instances: {
        type: 'array',
        minItems: 1,
        description: 'Rows: values of the only input, or objects with a value for each input by its name.',
        items: value,
      },
      inputs: { description: 'Columns: the value of the only input, or an object with the value of each by its name.' },
    },
  },
  V1Predictions: {
    type: 'object',
    description: 'Rows are answered by "predictions", columns by "outputs"; the only output without its name.',
    properties: { predictions: { type: 'array', items: value }, outputs: value },
  },
  V1Explanations: {
    type: 'object',
    description: 'As predictions of the model that explains.',
    properties: { explanations: { type: 'array', items: value }, outputs: value },
  },
  V1Examples: {
    type: 'object',
    required: ['examples'],
    properties: {
      signature_name: {
        type: 'string',
        description: '"serving_default", or one that the config of the model declares.',
      },
      context: { ...features, description: 'Features that every example has.' },
      examples: { type: 'array', minItems: 1, items: features },
    },
  },
  V1Classes: {
    type: 'object',
    required: ['result'],
    properties: {
      result: {
        type: 'array',
        description: 'Of each example its classes, ["label", score].',
        items: { type: 'array' },
      },
    },
  },
  V1Values: {
    type: 'object',
    required: ['result'],
    properties: { result: { type: 'array', items: { type: 'number' } } },
  },
} as const;
