// npm run test:observability [-- PART ...]: what Penstock tells is there, adds up and reaches whoever it is for, shown with real
// Prometheus and Alertmanager. Some 4 minutes on two cores. A part is a command; it passes where that ends with 0, and says
// in a line what it measured: in the file that $FIGURE names, else as the last line of its output. Ends with "N passed, N failed".
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askedParts, isStopped, runPart } from '../support/suite-parts.mjs';
import { PARTS } from './parts.mjs';
import { findTools, TOOLS } from './tools.mjs';

const parts = askedParts(PARTS, process.argv.slice(2));
const scratch = mkdtempSync(join(tmpdir(), 'penstock-observability-'));
const { paths, missing } = findTools(new Set(parts.flatMap(({ needs = [] }) => needs)));

let passed = 0;
let failed = 0;
let skipped = 0;
const start = performance.now();
for (const part of parts) {
  if (isStopped()) break;
  const lacking = (part.needs ?? []).filter((tool) => missing.has(tool));
  if (lacking.length > 0) {
    // On a machine of one's own it is said and passed over; where a build is judged it has to be there.
    const must = process.env.CI !== undefined;
    if (must) failed++;
    else skipped++;
    report(must ? 'FAILED' : 'skipped', part.name, `${lacking.join(', ')} not found: ${missing.get(lacking[0])}`);
    continue;
  }
  const { code, output, figure, seconds } = await run(part);
  const late = code === undefined ? `past ${part.minutes} min` : `ended with ${code}`;
  if (code === 0) passed++;
  else failed++;
  const said = figure === '' ? lastWord(output) : figure;
  report(code === 0 ? 'ok' : 'FAILED', part.name, `${code === 0 ? said : late} (${seconds.toFixed(1)} s)`);
  if (code !== 0) console.log(output.split('\n').slice(-80).join('\n'));
}
rmSync(scratch, { recursive: true, force: true });
const minutes = (performance.now() - start) / 60_000;
console.log(
  `\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''} (${minutes.toFixed(1)} min)`,
);
process.exitCode = failed === 0 && !isStopped() ? 0 : 1;

/** What tests or a script say at their end. @param {string} output */
function lastWord(output) {
  const lines = output.trim().split('\n');
  return (lines.findLast((line) => /^ *Tests .*passed/.test(line)) ?? lines.at(-1) ?? '').trim();
}

/** @param {string} verdict @param {string} name @param {string} text */
function report(verdict, name, text) {
  const [first = '', ...more] = text.trimEnd().split('\n');
  console.log(`${verdict.padEnd(8)}${name.padEnd(16)}${first}`);
  for (const line of more) console.log(`${' '.repeat(24)}${line}`);
}

/** @param {import('./parts.mjs').Part} part */
async function run({ name, command, minutes }) {
  const file = join(scratch, `${name}.figure`);
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, FIGURE: file, NO_COLOR: '1' };
  for (const tool of TOOLS) if (paths.has(tool)) env[tool.toUpperCase().replaceAll('-', '_')] = paths.get(tool);
  const [program, ...words] = command;
  const told = await runPart({ program, words, env, minutes });
  return { ...told, figure: existsSync(file) ? readFileSync(file, 'utf8') : '' };
}
