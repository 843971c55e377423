import { ERRORS, type Reason, type ServingError, type TextInput } from '../../../core/index.js';
import { type Fields, fieldsOf, filledText, inputsOf, optional, positiveOf, refused, textOf } from './text-fields.js';
import { vectorBase64, vectorJson } from './vector-text.js';

/** OpenAI's limit of `input`. */
const MOST_TEXTS = 2048;

/** A body of `POST /v1/embeddings`. Plain data: pool threads decode large ones. */
export interface OpenAiEmbeddings {
  /** Empty: the one that this server takes for it. */
  readonly model: string;
  readonly texts: readonly TextInput[];
  readonly base64: boolean;
  readonly dimensions: number | undefined;
}

/** Decodes a body. `user` is not looked at, nor what OpenAI does not know. Throws MALFORMED_REQUEST, MISSING_INPUT, SHAPE_MISMATCH. */
export function decodeOpenAiEmbeddings(body: Uint8Array): OpenAiEmbeddings {
  const fields = fieldsOf(body);
  return {
    model: optional(fields, 'model', textOf) ?? '',
    texts: inputsOf(fields.input, 'input', MOST_TEXTS).texts,
    base64: isBase64(fields),
    dimensions: optional(fields, 'dimensions', positiveOf),
  };
}

function isBase64(fields: Fields): boolean {
  const format = optional(fields, 'encoding_format', filledText) ?? 'float';
  if (format !== 'float' && format !== 'base64') throw refused('encoding_format', 'float or base64', format);
  return format === 'base64';
}

/** The answer: a vector a text, in their order, and how many tokens they were. */
export function encodeOpenAiEmbeddings(
  { base64 }: OpenAiEmbeddings,
  model: string,
  vectors: readonly Float32Array[],
  tokens: number,
): string {
  const data = vectors.map((vector, index) => {
    const embedding = base64 ? `"${vectorBase64(vector)}"` : vectorJson(vector);
    return `{"object":"embedding","index":${index},"embedding":${embedding}}`;
  });
  const usage = JSON.stringify({ prompt_tokens: tokens, total_tokens: tokens });
  return `{"object":"list","data":[${data.join(',')}],"model":${JSON.stringify(model)},"usage":${usage}}`;
}

/** What OpenAI calls a refusal, where its name says more than its status. */
const CODES: Partial<Record<Reason, string>> = {
  MODEL_NOT_FOUND: 'model_not_found',
  VERSION_NOT_FOUND: 'model_not_found',
  UNAUTHENTICATED: 'invalid_api_key',
  RATE_LIMITED: 'rate_limit_exceeded',
  QUOTA_EXCEEDED: 'insufficient_quota',
};

/** The body of an error as OpenAI's clients read it; its status is that of the table of errors. */
export function openAiError(error: ServingError): string {
  const { reason } = error;
  const long = TOO_LONG.exec(error.message);
  const message = long === null ? error.message : tooLong(long);
  const { http }: { readonly http: number } = ERRORS[reason];
  const type =
    http >= 500 && reason !== 'UNSUPPORTED'
      ? 'server_error'
      : http === 429
        ? 'rate_limit_error'
        : 'invalid_request_error';
  const param = long === null ? (/^'([a-z_]+)/.exec(message)?.[1] ?? null) : 'input';
  const code = long === null ? (CODES[reason] ?? null) : 'context_length_exceeded';
  return JSON.stringify({ error: { message, type, param, code } });
}

/** What tokenizers refuse a text with that is too long. */
const TOO_LONG = /^text (\d+): expected at most (\d+) tokens, found (\d+)( characters)?$/;

/** The same in OpenAI's words, which clients look for. */
function tooLong([, index, most, found, characters = ' tokens']: RegExpExecArray): string {
  return `This model's maximum context length is ${most} tokens, however text ${index} of 'input' has ${found}${characters}. Please reduce its length.`;
}
