/**
 * Spearman's rank correlation of two rows of the same length, at least 3: Pearson's of the ranks, equal values sharing the
 * mean of theirs. Two constant rows correlate fully (1), one beside another not at all (0), nor does a row with a NaN.
 * O(n log n).
 */
export function rankCorrelation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const ranksOfA = ranks(a);
  const ranksOfB = ranks(b);
  if (ranksOfA === undefined || ranksOfB === undefined) return 0;
  const mean = (a.length + 1) / 2;
  let product = 0;
  let squareOfA = 0;
  let squareOfB = 0;
  for (let i = 0; i < a.length; i++) {
    const fromA = (ranksOfA[i] as number) - mean;
    const fromB = (ranksOfB[i] as number) - mean;
    product += fromA * fromB;
    squareOfA += fromA * fromA;
    squareOfB += fromB * fromB;
  }
  if (squareOfA === 0 || squareOfB === 0) return squareOfA === squareOfB ? 1 : 0;
  return product / Math.sqrt(squareOfA * squareOfB);
}

/** Ranks from 1, means among equals; undefined where there is a NaN. */
function ranks(values: ArrayLike<number>): Float64Array | undefined {
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) return undefined;
  const order = ascending(values);
  const found = new Float64Array(order.length);
  for (let from = 0; from < order.length; ) {
    const value = values[order[from] as number];
    let to = from + 1;
    while (to < order.length && values[order[to] as number] === value) to++;
    for (let i = from; i < to; i++) found[order[i] as number] = (from + to + 1) / 2;
    from = to;
  }
  return found;
}

/** Places beside a 32-bit key in the 53 bits of a double. */
const PLACES = 2 ** 20;

const word = new Float32Array(1);
const bits = new Uint32Array(word.buffer);

/**
 * The indices of values in ascending order. Single precision is sorted as numbers of the order of its bits and the index, which
 * takes a third of the time that comparing by a function takes.
 */
function ascending(values: ArrayLike<number>): ArrayLike<number> {
  const keys = values.length < PLACES ? singlePrecisionKeys(values) : undefined;
  if (keys === undefined) {
    const order = Uint32Array.from({ length: values.length }, (_, i) => i);
    return order.sort((a, b) => (values[a] as number) - (values[b] as number));
  }
  keys.sort();
  for (let i = 0; i < keys.length; i++) keys[i] = (keys[i] as number) % PLACES;
  return keys;
}

/** Undefined where a value is no single. */
function singlePrecisionKeys(values: ArrayLike<number>): Float64Array | undefined {
  const keys = new Float64Array(values.length);
  for (let i = 0; i < keys.length; i++) {
    const value = values[i] as number;
    word[0] = value;
    if (word[0] !== value) return undefined;
    const pattern = bits[0] as number;
    // Negative ones descend in their bits.
    const ordered = pattern >= 0x80000000 ? ~pattern >>> 0 : (pattern | 0x80000000) >>> 0;
    keys[i] = ordered * PLACES + i;
  }
  return keys;
}
