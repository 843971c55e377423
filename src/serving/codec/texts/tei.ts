import type { TextInput, TruncationDirection } from '../../../core/index.js';
import { type RankedDocuments, rankedDocumentsOf } from './documents.js';
import {
  directionOf,
  empty,
  type Fields,
  fieldsOf,
  filledText,
  flagOf,
  idsOf,
  inputsOf,
  listOf,
  optional,
  positiveOf,
  refused,
  textOf,
  tooMany,
} from './text-fields.js';

/** What every body of text-embeddings-inference may say. Undefined: what the model's config says. */
export interface TeiChoice {
  /** Ours: the server they know has one model. Empty: the one that this server takes for it. */
  readonly model: string;
  readonly truncate: boolean | undefined;
  readonly direction: TruncationDirection | undefined;
  readonly promptName: string | undefined;
}

/** A body of `/embed`, `/embed_all`. */
export interface TeiEmbed extends TeiChoice {
  readonly texts: readonly TextInput[];
  readonly normalize: boolean | undefined;
  readonly dimensions: number | undefined;
}

/** A body of `/rerank`. */
export interface TeiRerank extends TeiChoice {
  readonly query: string;
  readonly texts: readonly string[];
  readonly rawScores: boolean;
  readonly returnText: boolean;
}

/** A body of `/predict`. */
export interface TeiPredict extends TeiChoice {
  readonly texts: readonly TextInput[];
  /** One input that did not stand in a list of them. */
  readonly alone: boolean;
  readonly rawScores: boolean;
}

/** A body of `/tokenize`. */
export interface TeiTokenize extends TeiChoice {
  readonly texts: readonly string[];
  readonly addSpecial: boolean;
}

/** A body of `/decode`. */
export interface TeiDecode extends TeiChoice {
  readonly texts: readonly Int32Array[];
  readonly skipSpecial: boolean;
}

/**
 * Decoders of bodies; `most`: texts of one request. Fields that text-embeddings-inference does not know are not looked at, as there.
 * Throw MALFORMED_REQUEST, MISSING_INPUT (nothing where something has to be), SHAPE_MISMATCH (too many).
 */
export const TEI_BODIES = { embed, similarity, rerank, predict, tokenize, decode };

function embed(body: Uint8Array, most: number): TeiEmbed {
  const fields = fieldsOf(body);
  return {
    ...choiceOf(fields, fields),
    texts: inputsOf(fields.inputs, 'inputs', most).texts,
    normalize: optional(fields, 'normalize', flagOf),
    dimensions: optional(fields, 'dimensions', positiveOf),
  };
}

/** The source first, then the sentences that it is compared with. */
function similarity(body: Uint8Array, most: number): TeiEmbed {
  const fields = fieldsOf(body);
  const inputs = objectOf(fields.inputs, 'inputs');
  const source = filledText(inputs.source_sentence, 'inputs.source_sentence');
  const sentences = textsOf(inputs.sentences, 'inputs.sentences', most);
  if (sentences.length + 1 > most) throw tooMany('inputs', most, sentences.length + 1);
  const parameters = optional(fields, 'parameters', objectOf) ?? {};
  return {
    ...choiceOf(fields, parameters),
    texts: [source, ...sentences],
    normalize: false,
    dimensions: undefined,
  };
}

/** As text-embeddings-inference has it, or with `documents` as others do on the same route. */
function rerank(body: Uint8Array, most: number): TeiRerank | RankedDocuments {
  const fields = fieldsOf(body);
  if (fields.documents !== undefined && fields.texts === undefined) return rankedDocumentsOf(fields);
  return {
    ...choiceOf(fields, fields),
    query: filledText(fields.query, 'query'),
    texts: textsOf(fields.texts, 'texts', most),
    rawScores: optional(fields, 'raw_scores', flagOf) ?? false,
    returnText: optional(fields, 'return_text', flagOf) ?? false,
  };
}

/** A text, a pair `[text, text]`, or a list of lists of one text or two. */
function predict(body: Uint8Array, most: number): TeiPredict {
  const fields = fieldsOf(body);
  const { inputs } = fields;
  const alone = typeof inputs === 'string' || (Array.isArray(inputs) && typeof inputs[0] === 'string');
  const texts = alone
    ? [textOrPair(inputs, 'inputs')]
    : listOf(inputs, 'inputs', most).map((one, i) => {
        if (!Array.isArray(one)) throw refused(`inputs[${i}]`, 'a list of one text or two', one);
        return textOrPair(one, `inputs[${i}]`);
      });
  const rawScores = optional(fields, 'raw_scores', flagOf) ?? false;
  return { ...choiceOf(fields, fields), texts, alone, rawScores };
}

function tokenize(body: Uint8Array, most: number): TeiTokenize {
  const fields = fieldsOf(body);
  const { inputs } = fields;
  return {
    ...choiceOf(fields, fields),
    texts: typeof inputs === 'string' ? [filledText(inputs, 'inputs')] : textsOf(inputs, 'inputs', most),
    addSpecial: optional(fields, 'add_special_tokens', flagOf) ?? true,
  };
}

function decode(body: Uint8Array, most: number): TeiDecode {
  const fields = fieldsOf(body);
  const ids = listOf(fields.ids, 'ids', Number.MAX_SAFE_INTEGER);
  const alone = typeof ids[0] === 'number';
  const texts = alone ? [idsOf(ids, 'ids')] : listOf(ids, 'ids', most).map((one, i) => idsOf(one, `ids[${i}]`));
  return { ...choiceOf(fields, fields), texts, skipSpecial: optional(fields, 'skip_special_tokens', flagOf) ?? true };
}

function choiceOf(fields: Fields, from: Fields): TeiChoice {
  return {
    model: optional(fields, 'model', textOf) ?? '',
    truncate: optional(from, 'truncate', flagOf),
    direction: optional(from, 'truncation_direction', directionOf),
    promptName: optional(from, 'prompt_name', textOf),
  };
}

function textsOf(value: unknown, field: string, most: number): readonly string[] {
  return listOf(value, field, most).map((one, i) => filledText(one, `${field}[${i}]`));
}

function textOrPair(value: unknown, field: string): TextInput {
  if (!Array.isArray(value)) return filledText(value, field);
  if (value.length === 0) throw empty(field);
  const [first, second, ...more] = value.map((one, i) => filledText(one, `${field}[${i}]`));
  if (more.length > 0) throw refused(field, 'a text or a pair of texts', value);
  return second === undefined ? (first as string) : [first as string, second];
}

function objectOf(value: unknown, field: string): Fields {
  if (value === undefined || value === null) throw empty(field);
  if (typeof value !== 'object' || Array.isArray(value)) throw refused(field, 'an object', value);
  return value as Fields;
}
