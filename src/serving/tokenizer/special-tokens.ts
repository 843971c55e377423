import { ServingError } from '../../core/index.js';

/** One place of a template: a special token, or where a text goes. */
type Place =
  | { readonly kind: 'token'; readonly id: number; readonly type: number }
  | { readonly kind: 'text'; readonly second: boolean; readonly type: number };

/** A text's token ids, and for each which of two texts it belongs to. */
export interface Encoding {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

/**
 * Where the special tokens of a text and of a pair of texts stand: `post_processor` of a tokenizer.json as a template over ids, so
 * that a text can be cut before they are added. Throws MODEL_INVALID for a post-processor that is none of Hugging Face's.
 */
export class SpecialTokens {
  readonly #single: readonly Place[];
  readonly #pair: readonly Place[];

  constructor(postProcessor: unknown) {
    const { single, pair } = templateOf(postProcessor) ?? BARE;
    this.#single = single;
    this.#pair = pair;
  }

  /** How many are added to a text, or to a pair. */
  count(pair: boolean): number {
    return this.#places(pair).filter(({ kind }) => kind === 'token').length;
  }

  /** How many stand before a text alone. */
  get before(): number {
    return this.#single.findIndex(({ kind }) => kind === 'text');
  }

  /** The texts with their special tokens around them. `second`: undefined = one text. */
  around(first: readonly number[], second: readonly number[] | undefined): Encoding {
    const ids: number[] = [];
    const types: number[] = [];
    for (const place of this.#places(second !== undefined)) {
      const part = place.kind === 'token' ? [place.id] : place.second ? (second ?? []) : first;
      for (const id of part) {
        ids.push(id);
        types.push(place.type);
      }
    }
    return { ids, types };
  }

  #places(pair: boolean): readonly Place[] {
    return pair ? this.#pair : this.#single;
  }
}

/** The texts alone. */
export function bareEncoding(first: readonly number[], second: readonly number[] | undefined): Encoding {
  if (second === undefined) return { ids: first, types: first.map(() => 0) };
  return { ids: [...first, ...second], types: [...first.map(() => 0), ...second.map(() => 1)] };
}

interface Template {
  readonly single: readonly Place[];
  readonly pair: readonly Place[];
}

const first = (type = 0): Place => ({ kind: 'text', second: false, type });
const second = (type: number): Place => ({ kind: 'text', second: true, type });
const token = (id: number, type = 0): Place => ({ kind: 'token', id, type });

const BARE: Template = { single: [first()], pair: [first(), second(1)] };

/** Undefined: it adds no token. */
function templateOf(given: unknown): Template | undefined {
  if (given === null || given === undefined) return undefined;
  const processor = given as Readonly<Record<string, unknown>>;
  switch (processor.type) {
    case 'ByteLevel':
      return undefined;
    case 'Sequence': {
      const adding = listOf(processor.processors, 'processors')
        .map(templateOf)
        .filter((one) => one !== undefined);
      if (adding.length > 1) throw invalid('expected at most one processor that adds tokens, found several');
      return adding[0];
    }
    case 'BertProcessing':
      return surrounding(idOf(processor.cls, 'cls'), idOf(processor.sep, 'sep'), 1, false);
    case 'RobertaProcessing':
      return surrounding(idOf(processor.cls, 'cls'), idOf(processor.sep, 'sep'), 0, true);
    case 'TemplateProcessing': {
      const known = (processor.special_tokens ?? {}) as Readonly<Record<string, { readonly ids?: unknown }>>;
      return {
        single: listOf(processor.single, 'single').flatMap((piece) => placesOf(piece, known)),
        pair: listOf(processor.pair, 'pair').flatMap((piece) => placesOf(piece, known)),
      };
    }
    default:
      throw invalid(
        `expected TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel or Sequence, found ${JSON.stringify(processor.type)}`,
      );
  }
}

/** `cls A sep` and `cls A sep [sep] B sep`. */
function surrounding(cls: number, sep: number, pairType: number, twice: boolean): Template {
  const single = [token(cls), first(), token(sep)];
  return { single, pair: [...single, ...(twice ? [token(sep)] : []), second(pairType), token(sep, pairType)] };
}

function placesOf(piece: unknown, known: Readonly<Record<string, { readonly ids?: unknown }>>): Place[] {
  const { Sequence: text, SpecialToken: special } = piece as Readonly<
    Record<string, { readonly id: string; readonly type_id?: number } | undefined>
  >;
  if (text !== undefined) return [{ kind: 'text', second: text.id === 'B', type: text.type_id ?? 0 }];
  if (special === undefined) throw invalid('expected Sequence or SpecialToken in a template');
  const ids = known[special.id]?.ids;
  if (!Array.isArray(ids) || !ids.every(Number.isInteger))
    throw invalid(`expected the ids of the special token '${special.id}' in special_tokens`);
  return ids.map((id) => token(id, special.type_id ?? 0));
}

function listOf(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(`expected a list in ${field}`);
  return value;
}

/** The id of `["[SEP]", 3]`. */
function idOf(value: unknown, field: string): number {
  const id: unknown = Array.isArray(value) ? value[1] : undefined;
  if (!Number.isInteger(id)) throw invalid(`expected a token and its id in ${field}`);
  return id as number;
}

function invalid(why: string): ServingError {
  return new ServingError('MODEL_INVALID', `post_processor: ${why}`);
}
