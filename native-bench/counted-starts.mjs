/** Two builds' counted work, in starts of their own: instructions and heap bytes of a request as scenarios that `bench compare` reads. */
import { allocatedOrCopied, instructions, whyNoInstructions } from './counted-work.mjs';
import { COUNTED } from './scenarios.mjs';

const ALLOCATED = ['mlp-http-c1', 'mlp-http-json-c8', 'mlp-ws-c8', 'mlp-grpc-c8'];
/** Instructions of one scenario: to warm a process under valgrind takes most of a minute. */
const INSTRUCTED = ['mlp-http-c8'];

/**
 * `starts` counts for both of `launches` (options of `startGateway`), both at the same time: what is counted does not mind.
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
  const both = async (count, key) => {
    const counts = await Promise.all(launches.map(count));
    for (const [side, found] of counts.entries()) add(side, found, key);
  };
  for (let start = 0; start < starts; start++) {
    if (whyNoInstructions() === undefined && instructed.length > 0)
      await both((launch) => instructions(chosen(instructed), launch), 'instructionsPerRequest');
    if (allocated.length > 0)
      await both((launch) => allocatedOrCopied(chosen(allocated), launch), 'heapBytesPerRequest');
  }
  return sides.map((side) => [...side].map(([name, rounds]) => ({ name, rounds })));
}
