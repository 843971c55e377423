/** JSON Schemas (2020-12) of the bodies of `generate` and `generate_stream`. */
export const GENERATE_SCHEMAS = {
  GenerateRequest: {
    type: 'object',
    description:
      'Inputs of the model by their names, each a value or a flat list of values; so in "parameters" too. Other keys are parameters of the request.',
    properties: {
      id: { type: 'string' },
      text_input: { description: 'As an input of that name, which models of text have' },
      parameters: { type: 'object' },
    },
    additionalProperties: true,
  },
  GenerateResponse: {
    type: 'object',
    description: 'Outputs of the model by their names, each a value or a flat list of values.',
    required: ['model_name', 'model_version'],
    properties: { id: { type: 'string' }, model_name: { type: 'string' }, model_version: { type: 'string' } },
    additionalProperties: true,
  },
  GenerateEvents: {
    type: 'string',
    description:
      'Server-sent events: "data: " and a GenerateResponse for each response; {"error": message} where it fails after the first.',
  },
} as const;
