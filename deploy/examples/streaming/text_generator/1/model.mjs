import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

/** By the last letters, at most `order` of them, how often each letter follows. */
let followers;
let order;

export async function load({ folder, parameters }) {
  order = Number(parameters.order ?? 6);
  if (!(Number.isInteger(order) && order >= 1 && order <= 12))
    throw new Error(`order: expected 1 to 12, got ${parameters.order}`);
  const text = await readFile(join(folder, 'corpus.txt'), 'utf8');
  followers = new Map();
  for (let at = 0; at < text.length; at++) {
    for (let letters = 0; letters <= Math.min(order, at); letters++) {
      const context = text.slice(at - letters, at);
      let counts = followers.get(context);
      if (counts === undefined) {
        counts = new Map();
        followers.set(context, counts);
      }
      counts.set(text[at], (counts.get(text[at]) ?? 0) + 1);
    }
  }
}

export async function* infer({ inputs: given, signal }) {
  const maxTokens = given.max_tokens?.data[0] ?? 32;
  const temperature = given.temperature?.data[0] ?? 0.7;
  if (!(maxTokens >= 1 && maxTokens <= 100_000)) throw new Error(`max_tokens: expected 1 to 100000, got ${maxTokens}`);
  if (!(temperature >= 0 && temperature <= 10)) throw new Error(`temperature: expected 0 to 10, got ${temperature}`);
  const random = randomOf(given.seed?.data[0] ?? 0n);
  const stream = given.stream?.data[0] === 1;
  let before = given.text_input.data[0].toString().slice(-order);
  let whole = '';
  for (let token = 0; token < maxTokens; token++) {
    let word = '';
    // A token is a word with what stands before it.
    do {
      const letter = draw(countsAfter(before), temperature, random);
      word += letter;
      before = (before + letter).slice(-order);
    } while (!/\S\s$/.test(word) && word.length < 64);
    if (stream) yield { text_output: [word] };
    else whole += word;
    // Other requests of this instance have their turn.
    await turn();
    if (signal.aborted) return;
  }
  if (!stream) yield { text_output: [whole] };
}

/** What follows the longest end of `text` that the corpus has. */
function countsAfter(text) {
  for (let from = 0; from < text.length; from++) {
    const counts = followers.get(text.slice(from));
    if (counts !== undefined) return counts;
  }
  return followers.get('');
}

function draw(counts, temperature, random) {
  if (temperature === 0) return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
  const weights = [...counts].map(([letter, count]) => [letter, count ** (1 / temperature)]);
  let left = random() * weights.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [letter, weight] of weights) {
    left -= weight;
    if (left < 0) return letter;
  }
  return weights.at(-1)[0];
}

/** 0 to 1, the same sequence for the same seed (splitmix64). */
function randomOf(seed) {
  let state = BigInt.asUintN(64, seed);
  return () => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return Number((z ^ (z >> 31n)) >> 11n) / 2 ** 53;
  };
}
