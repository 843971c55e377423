import { ERRORS, type Reason, ServingError, type TokenText } from '../../../core/index.js';
import type { TeiPredict, TeiRerank } from './tei.js';
import { vectorJson } from './vector-text.js';
import { cosine } from './vectors.js';

/** The answer of `/embed`. */
export function teiVectors(vectors: readonly Float32Array[]): string {
  return `[${vectors.map(vectorJson).join(',')}]`;
}

/** The answer of `/embed_all`: a vector a token. */
export function teiTokenVectors(texts: readonly (readonly Float32Array[])[]): string {
  return `[${texts.map(teiVectors).join(',')}]`;
}

/** A number of a vector that is not 0, and its place. */
export interface SparseValue {
  readonly index: number;
  readonly value: number;
}

/** What of a vector is not 0. Throws BACKEND_FAILED where a number is not finite. */
export function sparseValues(vector: Float32Array): SparseValue[] {
  const values: SparseValue[] = [];
  for (let index = 0; index < vector.length; index++) {
    const value = vector[index] as number;
    if (!Number.isFinite(value)) throw new ServingError('BACKEND_FAILED', 'the vector of a text is not finite');
    if (value !== 0) values.push({ index, value });
  }
  return values;
}

/** The answer of `/embed_sparse`: of each text the weights that are not 0. */
export function teiSparseVectors(texts: readonly (readonly SparseValue[])[]): string {
  return JSON.stringify(texts);
}

/** The answer of `/similarity`: how near each vector but the first is to the first. */
export function teiSimilarities([source, ...others]: readonly Float32Array[]): string {
  return vectorJson(Float32Array.from(others, (one) => cosine(source as Float32Array, one)));
}

/** The answer of `/rerank`: the texts by their scores, the best first. Throws BACKEND_FAILED where a score is no number. */
export function teiRanks(asked: TeiRerank, logits: readonly Float32Array[]): string {
  return JSON.stringify(rankedTexts(asked, logits));
}

/** The same as objects. */
export function rankedTexts(
  { texts, rawScores, returnText }: Pick<TeiRerank, 'texts' | 'rawScores' | 'returnText'>,
  logits: readonly Float32Array[],
): readonly { readonly index: number; readonly text?: string | undefined; readonly score: number }[] {
  const ranks = logits.map((logit, index) => {
    const score = scored(onlyOf(logit), rawScores);
    return returnText ? { index, text: texts[index], score } : { index, score };
  });
  return ranks.sort((a, b) => b.score - a.score);
}

/** The answer of `/predict`: the classes of each text by their scores, the best first. */
export function teiPredictions(
  { alone, rawScores }: TeiPredict,
  logits: readonly Float32Array[],
  labels: readonly string[] | undefined,
): string {
  const answers = classesOfTexts(rawScores, logits, labels);
  return JSON.stringify(alone ? answers[0] : answers);
}

/** Of each text its classes by their scores, the best first. Throws BACKEND_FAILED where a score is no number. */
export function classesOfTexts(
  rawScores: boolean,
  logits: readonly Float32Array[],
  labels: readonly string[] | undefined,
): readonly (readonly { readonly score: number; readonly label: string }[])[] {
  return logits.map((one) => {
    const scores = one.length === 1 ? [scored(onlyOf(one), rawScores)] : rawScores ? [...one] : softmax(one);
    if (!scores.every(Number.isFinite)) throw notFinite();
    return scores
      .map((score, i) => ({ score: Math.fround(score), label: labels?.[i] ?? `LABEL_${i}` }))
      .sort((a, b) => b.score - a.score);
  });
}

/** The answer of `/tokenize`. `start` and `stop`: in bytes, null where they are not known. */
export function teiTokens(
  texts: readonly { readonly ids: Int32Array; readonly tokens: readonly TokenText[] }[],
): string {
  const answer = texts.map(({ ids, tokens }) =>
    tokens.map(({ text, special, start = null, stop = null }, i) => ({ id: ids[i], text, special, start, stop })),
  );
  return JSON.stringify(answer);
}

/** Kinds of errors by status, as text-embeddings-inference names them. */
const KINDS: Readonly<Record<number, string>> = {
  400: 'Empty',
  413: 'Validation',
  422: 'Validation',
  424: 'Backend',
  429: 'Overloaded',
  503: 'Unhealthy',
};

/** Its status numbers where they are not ours. */
const STATUSES: Partial<Record<Reason, number>> = {
  MALFORMED_REQUEST: 422,
  SHAPE_MISMATCH: 422,
  DATA_TYPE_MISMATCH: 422,
  MISSING_INPUT: 400,
  QUEUE_FULL: 429,
  OVERLOADED: 429,
  BACKEND_FAILED: 424,
  OUTPUT_SHAPE_MISMATCH: 424,
  EXECUTOR_LOST: 424,
  DEADLINE_EXCEEDED: 424,
};

/** The status and body of an error, as its clients expect them; what it has no number for has ours. */
export function teiError({ reason, message }: ServingError): { readonly status: number; readonly body: string } {
  const status = STATUSES[reason] ?? ERRORS[reason].http;
  const kind = KINDS[status] ?? (status >= 500 ? 'Backend' : 'Validation');
  return { status, body: JSON.stringify({ error: message, error_type: kind }) };
}

function onlyOf(logits: Float32Array): number {
  const [logit] = logits;
  if (logit === undefined || logits.length > 1)
    throw new ServingError('OUTPUT_SHAPE_MISMATCH', `expected one score a pair of texts, found ${logits.length}`);
  return logit;
}

function scored(logit: number, raw: boolean): number {
  if (!Number.isFinite(logit)) throw notFinite();
  return Math.fround(raw ? logit : 1 / (1 + Math.exp(-logit)));
}

function softmax(logits: Float32Array): number[] {
  const highest = Math.max(...logits);
  const weights = Array.from(logits, (logit) => Math.exp(logit - highest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

function notFinite(): ServingError {
  return new ServingError('BACKEND_FAILED', 'the score of a text is not finite');
}
