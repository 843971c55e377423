import type { LatencyBreakdown, TextInput } from '../../../core/index.js';
import type { RequestContext } from '../../codec/index.js';
import type { TokenizedText } from '../../tokenizer/index.js';

/** What a call of texts was, and where its time went: what text-embeddings-inference tells with every answer. */
export class TextFigures {
  /** Code points of what was sent as text. */
  readonly characters: number;
  /** Special ones included. */
  readonly tokens: number;
  readonly tokenizationNs: number;
  readonly #context: RequestContext;
  #taken = 0;
  #queueNs = 0;
  #inferenceNs = 0;

  /** `begunNs`: when its texts were begun to be made tokens; now they are. */
  constructor(
    context: RequestContext,
    begunNs: number,
    texts: readonly TextInput[],
    tokenized: readonly TokenizedText[],
  ) {
    this.#context = context;
    this.characters = texts.reduce((sum, text) => sum + charactersOf(text), 0);
    this.tokens = tokenized.reduce((sum, { ids }) => sum + ids.length, 0);
    this.tokenizationNs = context.nowNs() - begunNs;
  }

  /** A text was answered. */
  took({ queueNs, gatherNs, dispatchNs, computeNs, scatterNs }: LatencyBreakdown): void {
    this.#taken++;
    this.#queueNs += queueNs;
    this.#inferenceNs += gatherNs + dispatchNs + computeNs + scatterNs;
  }

  /** Of one text, on average. */
  get queueNs(): number {
    return this.#queueNs / Math.max(this.#taken, 1);
  }

  /** Of one text, on average: of the execution that it was part of. */
  get inferenceNs(): number {
    return this.#inferenceNs / Math.max(this.#taken, 1);
  }

  /** Since its first byte was seen. */
  get totalNs(): number {
    return this.#context.nowNs() - this.#context.receivedNs;
  }

  /** Names and values in turn, in milliseconds, as text-embeddings-inference has them; `x-compute-type` is not told. */
  headers(): string[] {
    const total = milliseconds(this.totalNs);
    return [
      'x-compute-time',
      total,
      'x-compute-characters',
      String(this.characters),
      'x-compute-tokens',
      String(this.tokens),
      'x-total-time',
      total,
      'x-tokenization-time',
      milliseconds(this.tokenizationNs),
      'x-queue-time',
      milliseconds(this.queueNs),
      'x-inference-time',
      milliseconds(this.inferenceNs),
    ];
  }
}

function milliseconds(ns: number): string {
  return String(Math.floor(ns / 1e6));
}

/** Any character beyond the first 65,536 takes two places of a text, and counts as one. */
const PAIRS = /[\ud800-\udbff][\udc00-\udfff]/g;

function charactersOf(text: TextInput): number {
  if (typeof text === 'string') return text.length - (text.match(PAIRS)?.length ?? 0);
  return 'ids' in text ? 0 : charactersOf(text[0]) + charactersOf(text[1]);
}
