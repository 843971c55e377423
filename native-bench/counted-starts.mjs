/** Two builds' counted work, in starts of their own: instructions and heap bytes of a request as scenarios that `bench compare` reads. */
import { allocatedOrCopied, instructions, whyNoInstructions } from './counted-work.mjs';
import { COUNTED } from './scenarios.mjs';

const ALLOCATED = ['mlp-http-c1', 'mlp-http-json-c8', 'mlp-ws-c8', 'mlp-grpc-c8'];
/** Instructions of one scenario: to warm a process under valgrind takes most of a minute. */
const INSTRUCTED = ['mlp-http-c8'];

/**
 * `starts` counts for each of `launches` (options of `startGateway`), one after the other: side by side, one of two equal builds
 * gathers larger batches than the other, and took a fifth fewer instructions a request.
 * @returns {Promise<{ name, rounds }[][]>} for A and for B; names end in `counted`
 */
export async function countedStarts(launches, starts, { allocated = ALLOCATED, instructed = INSTRUCTED } = {}) {
  const sides = launches.map(() => new Map());
  const add = (side, counts, key) => {
    for (const [name, count] of counts) {
      const rounds = sides[side].get(`${name}-counted`) ?? [];
      sides[side].set(`${name}-counted`, rounds);
      rounds.push({ answers: 1, errors: 0, [key]: count });
    }
  };
  const chosen = (names) => COUNTED.filter(({ name }) => names.includes(name));
  const each = async (start, count, key) => {
    const order = [...launches.keys()];
    for (const side of start % 2 === 0 ? order : order.reverse()) add(side, await count(launches[side]), key);
  };
  for (let start = 0; start < starts; start++) {
    if (whyNoInstructions() === undefined && instructed.length > 0)
      await each(start, (launch) => instructions(chosen(instructed), launch), 'instructionsPerRequest');
    if (allocated.length > 0)
      await each(start, (launch) => allocatedOrCopied(chosen(allocated), launch), 'heapBytesPerRequest');
  }
  return sides.map((side) => [...side].map(([name, rounds]) => ({ name, rounds })));
}
