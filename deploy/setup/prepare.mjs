#!/usr/bin/env node
/**
 * Installs and builds what is missing, then returns: the first step of `npm start` and `npm test`. Uses nothing but Node
 * and npm. A second call finds the stamps of the first and takes milliseconds.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const [MAJOR, MINOR] = process.versions.node.split('.').map(Number);

if (MAJOR < 20 || (MAJOR === 20 && MINOR < 20)) {
  console.error(
    `penstock needs Node 20.20 or later (24 recommended); this is ${process.version}. Install a later Node and run again.`,
  );
  process.exit(1);
}

/** Hash of the named files' contents and of what else decides. */
function stampOf(files, ...facts) {
  const hash = createHash('sha256').update(facts.join('\n'));
  for (const file of files) hash.update(`\n${file}\n`).update(readFileSync(join(ROOT, file)));
  return hash.digest('hex');
}

function sources(folder) {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(c?ts|proto)$/.test(entry.name) && !/\.test\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
    .sort();
}

/** Runs `command` unless `stampFile` holds `stamp`; writes the stamp when it went well. */
function step(what, stampFile, stamp, command, args) {
  const path = join(ROOT, stampFile);
  if (existsSync(path) && readFileSync(path, 'utf8') === stamp) return;
  console.error(`penstock: ${what} ...`);
  const startedMs = Date.now();
  const run = spawnSync(command, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (run.error !== undefined || run.status !== 0) {
    console.error(run.stdout ?? '', run.stderr ?? '', run.error?.message ?? '');
    console.error(
      `penstock: ${what} failed: '${command} ${args.join(' ')}' ended with ${run.status ?? run.error?.code}. Mend what it says above, then run the same command again.`,
    );
    process.exit(1);
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, stamp);
  console.error(`penstock: ${what} took ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
}

// Through a link `npm ci` would empty the folder of another checkout and install here: whoever linked it installs it.
if (!lstatSync(join(ROOT, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
  step(
    'installing packages',
    'node_modules/.penstock-installed',
    stampOf(['package.json', 'package-lock.json', '.npmrc'], process.platform, process.arch),
    'npm',
    ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
  );
}
step(
  'building',
  'dist/.built',
  stampOf(['package.json', 'tsconfig.json', ...sources('src'), ...sources('protos')]),
  'npm',
  ['run', '--silent', 'build'],
);
