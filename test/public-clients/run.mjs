// npm run test:clients [-- PART ...]: public clients, unmodified, against a running gateway. Each part is a script that starts a gateway
// and tells what held; a table of counts comes last, and "N passed, N failed, N skipped" ends it. What a client tries and the gateway
// does not serve is skipped with what the gateway said.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { perfAnalyzer, pythonWith, tritonExamples, withTensorflow } from './environment.mjs';
import { PARTS } from './parts.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !PARTS.some((part) => part.name === name));
if (unknown.length > 0) {
  console.error(`no part is called ${unknown.join(', ')}; there are ${PARTS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
if (!existsSync(join(HERE, '../../dist/cli/penstock.cjs'))) {
  console.error('the program is not built: npm run build');
  process.exit(2);
}

/** @typedef {{ passed: Record<string, number>, failed: { group: string, case: string, why: string }[], leftOut: Record<string, number> }} Found */
const scratch = mkdtempSync(join(tmpdir(), 'penstock-public-clients-'));
const python = pythonWith('requirements.txt');
const parts = PARTS.filter(({ name }) => asked.length === 0 || asked.includes(name));
/** @type {import('node:child_process').ChildProcess | undefined} */
let running;
const stop = () => {
  if (running?.pid !== undefined) end(running.pid);
};
process.once('SIGINT', stop);
process.once('SIGTERM', stop);

const sums = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const rows = [];
/** @type {string[]} */
const notes = [];
for (const part of parts) {
  const { env, missing } = needsOf(part);
  if (missing !== undefined) {
    sums.skipped++;
    note(part.client, 0, 0, 1);
    notes.push(`${part.name}: ${missing}`);
    continue;
  }
  console.log(`${part.name}: at most ${part.minutes} min`);
  const found = await run(part, env);
  const passed = total(found.passed);
  const left = total(found.leftOut);
  sums.passed += passed;
  sums.failed += found.failed.length;
  sums.skipped += left;
  note(part.client, passed, found.failed.length, left);
  const groups = Object.entries(found.passed).map(([group, count]) => `${group} ${count}`);
  notes.push(`${part.name}: passed ${groups.join(', ') || 'nothing'}`);
  for (const { group, case: name, why } of found.failed)
    notes.push(`  FAILED ${group}: ${name}: ${why.split('\n')[0]}`);
  for (const [why, count] of Object.entries(found.leftOut)) notes.push(`  skipped ${count}: ${why}`);
}
rmSync(scratch, { recursive: true, force: true });
console.log(`\n${notes.join('\n')}\n`);
console.log(`${'client'.padEnd(32)}${['passed', 'failed', 'skipped'].map((word) => word.padStart(9)).join('')}`);
console.log(rows.join('\n'));
console.log(`\n${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
process.exitCode = sums.failed === 0 && sums.passed > 0 ? 0 : 1;

/** @param {string} client @param {...number} counts */
function note(client, ...counts) {
  rows.push(`${client.padEnd(32)}${counts.map((count) => String(count).padStart(9)).join('')}`);
}

/** @param {Record<string, number>} counts */
function total(counts) {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** @param {import('./parts.mjs').Part} part @returns {{ env: Record<string, string>, missing?: string }} */
function needsOf({ needs }) {
  if (needs === undefined) return { env: {} };
  const found = needs === 'examples' ? tritonExamples() : perfAnalyzer(python);
  if ('missing' in found) return { env: {}, missing: found.missing };
  return { env: { [needs === 'examples' ? 'TRITON_CLIENT_EXAMPLES' : 'PERF_ANALYZER']: found.path } };
}

/** @param {import('./parts.mjs').Part} part @param {Record<string, string>} env @returns {Promise<Found>} */
function run(part, env) {
  const report = join(scratch, `${part.name}.json`);
  const program = part.tensorflow === true ? withTensorflow() : python;
  const child = spawn(program, [join(HERE, part.script)], {
    env: { ...process.env, ...env, REPORT: report, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output = (output + chunk).slice(-20_000);
    });
  return new Promise((resolve) => {
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      end(/** @type {number} */ (child.pid));
    }, part.minutes * 60_000);
    child.once('close', (code) => {
      clearTimeout(limit);
      if (existsSync(report)) return resolve(JSON.parse(readFileSync(report, 'utf8')));
      console.log(output);
      const why = late ? `past ${part.minutes} min` : `ended with ${code} and told nothing`;
      resolve({ passed: {}, failed: [{ group: part.name, case: part.script, why }], leftOut: {} });
    });
  });
}

/** Ends a part with all that it started. @param {number} pid */
function end(pid) {
  try {
    process.kill(-pid, 'SIGTERM');
  } catch {
    // It has ended by itself.
  }
}
