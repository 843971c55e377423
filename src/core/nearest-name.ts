/**
 * The name of `known` that was probably meant by `given`, or undefined where none is near. Near: at most a third of its
 * letters differ (a swap of two neighbours counts once), or it differs in case and separators only, or lacks
 * its prefix.
 */
export function nearestName(given: string, known: Iterable<string>): string | undefined {
  const plain = fold(given);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(plain.length / 3)) + 1;
  for (const name of known) {
    const distance =
      fold(name) === plain ? 0 : Math.min(editDistance(plain, fold(name)), suffixDistance(plain, fold(name)));
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** `, did you mean 'x'?` or nothing: the tail of a message about an unknown name. */
export function didYouMean(given: string, known: Iterable<string>): string {
  const name = nearestName(given, known);
  return name === undefined ? '' : `, did you mean '${name}'?`;
}

const fold = (name: string) => name.toLowerCase().replaceAll(/[-_.]/g, '');

/** Near too: a name without its prefix (`FP32` for `TYPE_FP32`), though less than a slip of one letter. */
const suffixDistance = (given: string, name: string) =>
  given.length > 3 && name.endsWith(given) ? 1 : Number.POSITIVE_INFINITY;

/** Optimal string alignment distance. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j - 1]! + (same ? 0 : 1), last[j]! + 1, row[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
