/**
 * @typedef {object} Part
 * @property {string} name
 * @property {readonly string[]} command run in the folder of the repository
 * @property {number} minutes at most
 * @property {readonly string[]} [needs] programs of `tools.mjs`; a part finds them in $PROMETHEUS, $PROMTOOL, $ALERTMANAGER, $AMTOOL
 */

/** A part that is written as tests, with the support of the other suites. @param {string} file @returns {string[]} */
const tests = (file) => [
  'npx',
  'vitest',
  'run',
  '--config',
  'test/observability/vitest.config.ts',
  `test/observability/${file}`,
];

/** Tests that `npm test` has too. @param {string[]} files @returns {string[]} */
const also = (...files) => ['npx', 'vitest', 'run', '--project', 'all', ...files];

/** Everything that `npm run test:observability` shows, in order. @type {readonly Part[]} */
export const PARTS = [
  { name: 'rules', command: tests('rules.part.ts'), minutes: 3, needs: ['promtool', 'amtool'] },
  { name: 'queries', command: tests('queries.part.ts'), minutes: 3, needs: ['prometheus'] },
  { name: 'burn-alert', command: tests('burn-alert.part.ts'), minutes: 3, needs: ['prometheus', 'alertmanager'] },
  // Conservation over a mixed load with canary and copies, printed tables that add up, a restart in the middle of an hour.
  { name: 'costs', command: also('test/e2e/cost-ledger.test.ts', 'test/e2e/cost.test.ts'), minutes: 4 },
  { name: 'split-error', command: ['node', 'test/observability/split-error.mjs', '--models', 'timed'], minutes: 2 },
  // Fails where metering takes more than half a per cent of the CPU time of a request for certain; the interval is printed.
  {
    name: 'metering',
    command: ['node', 'native-bench/metering.mjs', '--only', 'loop,gateway', '--pairs', '10', '--requests', '100000'],
    minutes: 3,
  },
  { name: 'traces', command: ['node', 'test/observability/traces.mjs'], minutes: 4 },
  { name: 'payload-log', command: ['node', 'test/observability/payload-log-reader.mjs'], minutes: 3 },
];
