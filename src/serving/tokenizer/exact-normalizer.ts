import type { LibraryNormalizer } from './offsets/library.js';
import { PrecompiledCharsmap } from './precompiled-charsmap.js';

/**
 * Puts Hugging Face's own rules in the place of the library's: SentencePiece's own table, small letters without regard to what stands
 * beside them (`Σ` at the end of a word), ideographs beyond U+FFFF, white space of Unicode, a `$` that is put in as it is. `tables` gets the
 * tables by their step.
 */
export function normalizeExactly(
  normalizer: LibraryNormalizer | null,
  tables: Map<LibraryNormalizer, PrecompiledCharsmap>,
): void {
  for (const one of normalizer?.normalizers ?? []) normalizeExactly(one, tables);
  if (normalizer === null) return;
  const exact = exactStep(normalizer, tables);
  if (exact !== undefined) normalizer.normalize = exact;
}

function exactStep(
  normalizer: LibraryNormalizer,
  tables: Map<LibraryNormalizer, PrecompiledCharsmap>,
): ((text: string) => string) | undefined {
  const { type = '', precompiled_charsmap: table, content = '', prepend = '' } = normalizer.config;
  const { pattern } = normalizer;
  switch (type) {
    case 'Precompiled': {
      if (typeof table !== 'string' || table === '') return undefined;
      const exact = new PrecompiledCharsmap(table);
      tables.set(normalizer, exact);
      return (text) => exact.normalize(text);
    }
    case 'Lowercase':
      return lowered;
    case 'Strip':
      return (text) => stripped(text, normalizer);
    case 'Prepend':
      return (text) => (text === '' ? '' : prepend + text);
    case 'Replace':
      return pattern === null || pattern === undefined ? undefined : (text) => text.replaceAll(pattern, () => content);
    case 'BertNormalizer':
      normalizer.tokenize_chinese_chars = (text) => text.replace(IDEOGRAPH, ' $& ');
      return (text) => bert(text, normalizer);
    default:
      return undefined;
  }
}

/** Hugging Face's own ranges: U+2B820 to U+2B91F are not among them. */
const IDEOGRAPH =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
/** U+1734 was one until Unicode 14, and is one to Hugging Face's own. */
const ACCENTS = /[\p{Mn}\u1734]/gu;
/** The one character whose small letter goes by what stands beside it, to JavaScript. */
const SIGMA = '\u03a3';

function lowered(text: string): string {
  return text.includes(SIGMA) ? text.replaceAll(SIGMA, '\u03c3').toLowerCase() : text.toLowerCase();
}

function stripped(text: string, { config }: LibraryNormalizer): string {
  const begun = config.strip_left === true ? text.replace(/^\p{White_Space}+/u, '') : text;
  if (config.strip_right !== true) return begun;
  let end = begun.length;
  while (end > 0 && /^\p{White_Space}$/u.test(begun[end - 1] as string)) end--;
  return begun.slice(0, end);
}

function bert(text: string, normalizer: LibraryNormalizer): string {
  const { clean_text, handle_chinese_chars, lowercase, strip_accents } = normalizer.config;
  let made = text;
  if (clean_text === true) made = normalizer.clean_text?.(made) ?? made;
  if (handle_chinese_chars === true) made = normalizer.tokenize_chinese_chars?.(made) ?? made;
  if (strip_accents ?? lowercase === true) made = made.normalize('NFD').replace(ACCENTS, '');
  return lowercase === true ? lowered(made) : made;
}
