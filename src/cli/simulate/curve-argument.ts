import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

/**
 * `--curve` in the form `ROWS:MS,...` where it names a file that `penstock tune` wrote: the mean times of the setting that it
 * chose. What is no name of a file stays as it is. Throws an Error that says what is wrong with the file.
 */
export function curveArgument(word: string, cwd: string): string {
  if (/^-?[\d.,:\s]*$/.test(word) || !/[./\\]|json/i.test(word)) return word;
  let text: string;
  try {
    text = readFileSync(resolve(cwd, word), 'utf8');
  } catch (thrown) {
    throw new Error(`cannot read the file ${word} (${(thrown as NodeJS.ErrnoException).code})`);
  }
  const points = pointsOf(text);
  if (points === undefined)
    throw new Error(`${word} is not what penstock tune writes (penstock tune MODEL --out ${word})`);
  return points;
}

function pointsOf(text: string): string | undefined {
  try {
    const { penstockTune, chosen } = JSON.parse(text) as {
      penstockTune?: unknown;
      chosen?: { sizes?: { rows: number; meanMs: number }[] };
    };
    if (penstockTune !== 1 || chosen?.sizes?.length === 0) return undefined;
    return chosen?.sizes?.map(({ rows, meanMs }) => `${rows}:${meanMs.toFixed(6)}`).join(',');
  } catch {
    return undefined;
  }
}
