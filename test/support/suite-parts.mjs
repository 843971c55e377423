// What suites of parts share: which parts a command line names, and a part as a process with a limit, ended with all that it started.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/**
 * The parts that are asked for by name, in their order; all where none is. Ends this process where one is unknown or the program is not built.
 * @template {{ readonly name: string }} P
 * @param {readonly P[]} parts
 * @param {readonly string[]} names
 * @returns {readonly P[]}
 */
export function askedParts(parts, names) {
  const unknown = names.filter((name) => !parts.some((part) => part.name === name));
  if (unknown.length > 0)
    leave(`no part is called ${unknown.join(', ')}; there are ${parts.map(({ name }) => name).join(', ')}`);
  if (!existsSync(`${ROOT}dist/cli/penstock.cjs`)) leave('the program is not built: npm run build');
  return names.length === 0 ? parts : parts.filter(({ name }) => names.includes(name));
}

/** @param {string} why */
function leave(why) {
  console.error(why);
  process.exit(2);
}

/** @type {import('node:child_process').ChildProcess | undefined} */
let running;
let stopped = false;

/** Whether this process was told to stop: the part that ran then was ended, and no other is to begin. */
export function isStopped() {
  return stopped;
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
  process.once(signal, () => {
    stopped = true;
    if (running?.pid !== undefined) end(running.pid);
  });

/**
 * Runs one part; `code` is undefined where it took longer than its minutes. Keeps the last 200,000 characters of what it printed.
 * @param {{ program: string, words: readonly string[], env: NodeJS.ProcessEnv, minutes: number }} part
 * @returns {Promise<{ code: number | undefined, output: string, seconds: number }>}
 */
export function runPart({ program, words, env, minutes }) {
  const began = performance.now();
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
    }, minutes * 60_000);
    child.once('error', (error) => keep(Buffer.from(String(error))));
    child.once('close', (code) => {
      clearTimeout(limit);
      resolve({ code: late ? undefined : (code ?? 1), output, seconds: (performance.now() - began) / 1000 });
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
