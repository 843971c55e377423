#!/usr/bin/env node
/**
 * What a request costs in things that other load cannot blur, against the limits of bench-floors.json: bytes allocated on the
 * JavaScript heap, bytes of it that grow old, bytes copied by JavaScript, and instructions where valgrind is installed.
 *
 *   npm run bench:work              fails beyond a limit; under a minute on a quiet machine
 *   npm run bench:work -- --prove   puts 1 KB, a copy and 10 % of the instructions into each request, then each frame, and fails where one is not seen
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { aged, allocatedOrCopied, instructions, whyNoInstructions } from './counted-work.mjs';
import { INSTRUCTIONS_A_TURN } from './injected-work.mjs';
import { beyond, limitsOf } from './limits.mjs';
import { COUNTED } from './scenarios.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: { prove: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
});
if (options.help) {
  console.log(`usage: npm run bench:work -- [--prove] [--json]
Heap bytes, those that grow old, bytes copied and instructions of a request against the limits of bench-floors.json; exit code 1 beyond one.

  --prove   then puts work into each request and each frame, and fails where no limit sees it
  --json    the figures as JSON`);
  process.exit(0);
}
const limits = limitsOf('work');
const why = whyNoInstructions();
/** By cores elsewhere: limits are to mean the same on every machine. */
const ALIKE = { flags: ['--ingress-threads', '0'] };

/** Scenarios that have a limit of this figure. */
const limited = (limit) => COUNTED.filter(({ name }) => limits[name]?.[limit] !== undefined);
const FIGURES = {
  heapBytes: (launch) => allocatedOrCopied(limited('mostHeapBytes'), launch),
  copiedBytes: (launch) => allocatedOrCopied(limited('mostCopiedBytes'), launch, { copies: true }),
  agedBytes: (launch) => aged(limited('mostAgedBytes'), launch),
  ...(why === undefined ? { instructions: (launch) => instructions(limited('mostInstructions'), launch) } : {}),
};

/** Instructions where they are beyond their limit, once more in another process: some compile themselves to a tenth more. */
async function countedAgain(found) {
  const over = limited('mostInstructions').filter(({ name }) => found.get(name) > limits[name].mostInstructions);
  if (over.length === 0) return found;
  const again = await instructions(over, ALIKE);
  return new Map([...found].map(([name, count]) => [name, Math.min(count, again.get(name) ?? count)]));
}

/** Figures by scenario. Instructions are counted beside the others: none of them minds what else runs. */
async function counted(figures, launch, judged = (found) => found) {
  const slow = figures.includes('instructions') ? FIGURES.instructions(launch).then(judged) : new Map();
  const found = new Map();
  for (const figure of figures.filter((name) => name !== 'instructions'))
    found.set(figure, await FIGURES[figure](launch));
  if (figures.includes('instructions')) found.set('instructions', await slow);
  return COUNTED.map(({ name, beside }) => ({
    scenario: name,
    ...Object.fromEntries(
      [...found].flatMap(([figure, values]) => {
        if (!values.has(name)) return [];
        const own = [[figure, values.get(name)]];
        if (beside === undefined || !values.has(beside)) return own;
        return [...own, [`${figure}ToHttp`, Number((values.get(name) / values.get(beside)).toFixed(3))]];
      }),
    ),
  }));
}

/** Of these figures what is beyond its limit. */
function failuresOf(rows, figures) {
  const asked = (limit) =>
    figures.some((figure) => limit.slice('most'.length).replace('ToHttp', '').toLowerCase() === figure.toLowerCase());
  return rows.flatMap((row) =>
    beyond(row, Object.fromEntries(Object.entries(limits[row.scenario] ?? {}).filter(([limit]) => asked(limit)))),
  );
}

const startedAt = performance.now();
const all = Object.keys(FIGURES);
const rows = await counted(all, ALIKE, countedAgain);
const failures = failuresOf(rows, all);
if (options.json) console.log(JSON.stringify(rows));
else
  for (const { scenario, ...figures } of rows) {
    const texts = Object.entries(figures).map(([figure, value]) => {
      const limit = limits[scenario][`most${figure[0].toUpperCase()}${figure.slice(1)}`];
      return `${figure} ${value}${limit === undefined ? '' : ` (limit ${limit})`}`;
    });
    console.log(`${scenario.padEnd(18)} ${texts.join(', ')}`);
  }
if (why !== undefined) console.log(`instructions are not counted: ${why}`);

if (options.prove) {
  const injected = { ...ALIKE, preload: [join(HERE, 'injected-work.mjs')] };
  const withEnv = (env) => ({
    ...injected,
    env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, String(value)])),
  });
  for (const into of ['http', 'ws']) {
    const base = rows.find(({ scenario, instructions: count }) => count !== undefined && scenario.includes(into));
    const put = (what, figure, env) => ({ what, figure, launch: withEnv({ ...env, BENCH_INTO: into }) });
    const proofs = [
      put('1 KB allocated', 'heapBytes', { BENCH_ALLOCATE_BYTES: 1024 }),
      put('a copy of the body', 'copiedBytes', { BENCH_COPIES: 1 }),
    ];
    if (base !== undefined) {
      const turns = Math.round((base.instructions * 0.1) / INSTRUCTIONS_A_TURN);
      proofs.push(put('10 % of the instructions', 'instructions', { BENCH_BURN_TURNS: turns }));
    }
    for (const { what, figure, launch } of proofs) {
      const seen = failuresOf(await counted([figure], launch), [figure]);
      const expected = limited(`most${figure[0].toUpperCase()}${figure.slice(1)}`).filter(
        ({ protocol }) => protocol === into,
      );
      const missed = expected.filter(({ name }) => !seen.some((failure) => failure.startsWith(`${name}:`)));
      console.log(
        `${what} more: seen in ${expected.length - missed.length} of ${expected.length} scenarios over ${into}`,
      );
      for (const { name } of missed) failures.push(`${name}: ${what} more was not seen`);
    }
  }
}
console.log(`took ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
for (const failure of failures) console.error(failure);
if (failures.length > 0) process.exitCode = 1;
