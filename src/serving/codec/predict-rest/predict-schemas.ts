const value = {
  description:
    'A number, a string, true or false, {"b64": ...} for bytes, or arrays of these nested as the shape has it. NaN, Infinity and ' +
    '-Infinity may stand as bare words.',
} as const;

/** JSON Schemas (2020-12) of the bodies of KServe V1 and of TensorFlow Serving's REST API. */
export const PREDICT_SCHEMAS = {
  V1Models: {
    type: 'object',
    required: ['models'],
    properties: { models: { type: 'array', items: { type: 'string' } } },
  },
  V1ModelReady: {
    type: 'object',
    required: ['name', 'ready'],
    properties: { name: { type: 'string' }, ready: { type: 'boolean' } },
  },
  V1Predict: {
    type: 'object',
    description: 'Either "instances" or "inputs".',
    properties: {
      signature_name: { type: 'string', description: '"serving_default", the one there is.' },
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
} as const;
