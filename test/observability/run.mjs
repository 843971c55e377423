// npm run test:observability [-- PART ...]: what Penstock tells is there, adds up and reaches whoever it is for, shown with real
// Prometheus and Alertmanager. Some 4 minutes on two cores. A part is a command; it passes where that ends with 0, and says
// in a line what it measured: in the file that $FIGURE names, else as the last line of its output. Ends with "N passed, N failed".
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PARTS } from './parts.mjs';
import { findTools, TOOLS } from './tools.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !PARTS.some((part) => part.name === name));
if (unknown.length > 0) {
  console.error(`no part is called ${unknown.join(', ')}; there are ${PARTS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}
if (!existsSync(join(ROOT, 'dist/cli/penstock.cjs'))) {
  console.error('the program is not built: npm run build');
  process.exit(2);
}

const scratch = mkdtempSync(join(tmpdir(), 'penstock-observability-'));
const parts = PARTS.filter(({ name }) => asked.length === 0 || asked.includes(name));
const { paths, missing } = findTools(new Set(parts.flatMap(({ needs = [] }) => needs)));
/** @type {import('node:child_process').ChildProcess | undefined} */
let running;
let stopped = false;
const stop = () => {
  stopped = true;
  if (running?.pid !== undefined) end(running.pid);
};
process.once('SIGINT', stop);
process.once('SIGTERM', stop);

let passed = 0;
let failed = 0;
let skipped = 0;
const start = performance.now();
for (const part of parts) {
  if (stopped) break;
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
process.exitCode = failed === 0 && !stopped ? 0 : 1;

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
function run(part) {
  const file = join(scratch, `${part.name}.figure`);
  const [program, ...words] = part.command;
  const began = performance.now();
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, FIGURE: file, NO_COLOR: '1' };
  for (const tool of TOOLS) if (paths.has(tool)) env[tool.toUpperCase().replaceAll('-', '_')] = paths.get(tool);
  const child = spawn(program, words, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  running = child;
  let output = '';
  const keep = (/** @type {Buffer} */ chunk) => {
    output = (output + chunk).slice(-200_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((resolve) => {
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      end(/** @type {number} */ (child.pid));
    }, part.minutes * 60_000);
    child.once('error', (error) => keep(Buffer.from(String(error))));
    child.once('close', (code) => {
      clearTimeout(limit);
      const figure = existsSync(file) ? readFileSync(file, 'utf8') : '';
      resolve({ code: late ? undefined : (code ?? 1), output, figure, seconds: (performance.now() - began) / 1000 });
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
