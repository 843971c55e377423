import type { TruncationDirection } from '../../core/index.js';

/**
 * Cuts a text, or a pair, to `most` tokens: the longer of a pair first, as Hugging Face's strategy `longest_first` does. Gives
 * the same lists where nothing is cut.
 */
export function truncated(
  first: readonly number[],
  second: readonly number[] | undefined,
  most: number,
  direction: TruncationDirection,
): readonly [readonly number[], readonly number[] | undefined] {
  if (second === undefined) return [cut(first, most, direction), undefined];
  if (first.length + second.length <= most) return [first, second];
  const [a, b] = longestFirst(first.length, second.length, most);
  return [cut(first, a, direction), cut(second, b, direction)];
}

/** How much of each of two texts is left (tokenizers' `truncate_encodings`, whose odd token goes to the longer one). */
function longestFirst(first: number, second: number, most: number): readonly [number, number] {
  const shorter = Math.min(first, second);
  let a = shorter;
  let b = shorter > most ? shorter : Math.max(shorter, most - shorter);
  if (a + b > most) {
    a = Math.floor(most / 2);
    b = a + (most % 2);
  }
  return first > second ? [b, a] : [a, b];
}

function cut(ids: readonly number[], most: number, direction: TruncationDirection): readonly number[] {
  if (ids.length <= most) return ids;
  return direction === 'left' ? ids.slice(ids.length - most) : ids.slice(0, most);
}
