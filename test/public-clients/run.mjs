// npm run test:clients [-- [--python INTERPRETER] [PART ...]]: public clients, unmodified, against a running gateway. Each part is a
// script that starts a gateway and tells what held; a table of counts comes last, and "N passed, N failed, N skipped" ends it. What a
// client tries and the gateway does not serve is skipped with what the gateway said.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { askedParts, isStopped, runPart } from '../support/suite-parts.mjs';
import { perfAnalyzer, pythonWith, tritonExamples, withTensorflow } from './environment.mjs';
import { PARTS } from './parts.mjs';

/** @typedef {{ passed: Record<string, number>, failed: { group: string, case: string, why: string }[], leftOut: Record<string, number> }} Found */
const HERE = fileURLToPath(new URL('.', import.meta.url));
const { values, positionals } = parseArgs({ options: { python: { type: 'string' } }, allowPositionals: true });
const parts = askedParts(PARTS, positionals);
const scratch = mkdtempSync(join(tmpdir(), 'penstock-public-clients-'));
const python = values.python ?? pythonWith('requirements.txt');

const sums = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const rows = [];
/** @type {string[]} */
const notes = [];
for (const part of parts) {
  if (isStopped()) break;
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
process.exitCode = sums.failed === 0 && sums.passed > 0 && !isStopped() ? 0 : 1;

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

/** @param {import('./parts.mjs').Part} part @param {Record<string, string>} own @returns {Promise<Found>} */
async function run({ name, script, minutes, tensorflow }, own) {
  const report = join(scratch, `${name}.json`);
  const always = { REPORT: report, PYTHONDONTWRITEBYTECODE: '1', PYTHONWARNINGS: 'ignore' };
  const env = { ...process.env, ...own, ...always };
  const program = tensorflow === true ? withTensorflow() : python;
  const { code, output, seconds } = await runPart({ program, words: [join(HERE, script)], env, minutes });
  console.log(`${name}: ${seconds.toFixed(0)} s`);
  if (existsSync(report)) return JSON.parse(readFileSync(report, 'utf8'));
  console.log(output.slice(-20_000));
  const why = code === undefined ? `past ${minutes} min` : `ended with ${code} and told nothing`;
  return { passed: {}, failed: [{ group: name, case: script, why }], leftOut: {} };
}
