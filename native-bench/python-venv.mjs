/** Python environments of the bench's referees, made on first use under `.cache/bench/`, which git ignores. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = join(dirname(fileURLToPath(import.meta.url)), '../.cache/bench');

/**
 * The folder of an environment that holds exactly these packages (`name==version`); installs them where they are not. Throws a
 * sentence that says what is missing. `given`, a folder, is taken as it is.
 */
export function pythonVenv(name, packages, given) {
  if (given !== undefined) {
    if (existsSync(join(given, 'bin/python'))) return given;
    throw new Error(`${given} is no Python environment (bin/python)`);
  }
  const folder = join(CACHE, name);
  const stamp = join(folder, 'packages.txt');
  const wanted = packages.join('\n');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(CACHE, { recursive: true });
  console.error(`installing ${packages.join(' ')} into ${folder}, once`);
  step('python3', ['-m', 'venv', folder], 'Python 3 with venv (Debian: python3-venv) is needed');
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
  step(join(folder, 'bin/python'), pip, `the packages ${packages.join(' ')} cannot be had from PyPI`);
  writeFileSync(stamp, wanted);
  return folder;
}

function step(program, words, need) {
  const { status, error, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status === 0) return;
  throw new Error(`${need}: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
}
