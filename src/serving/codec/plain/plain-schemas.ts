/** JSON Schemas (2020-12) of the bodies of plain routes. */
export const PLAIN_SCHEMAS = {
  PlainRequest: {
    description:
      'A row as an object, a value for each input by its name; or an array of rows. For a model with one input its value may stand ' +
      'for itself. Images as base64 text where the input takes them, or as the whole body.',
    type: ['object', 'array', 'number', 'string', 'boolean'],
  },
  PlainAnswer: {
    description:
      "A row's outputs by their names; an array of these for an array of rows. The only output without its name, and the highest " +
      "values in place of all, where the model's config says so (plain_answer).",
  },
} as const;
