// Finds Prometheus and Alertmanager: on the PATH, in a folder that this user keeps, or fetched there as Debian packages, which are
// unpacked and not installed: no root is needed.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Programs that parts may need. */
export const TOOLS = ['prometheus', 'promtool', 'alertmanager', 'amtool'];

/** The Debian package of each, and the names that it goes by. @type {Record<string, { package: string, names: readonly string[] }>} */
const FROM = {
  prometheus: { package: 'prometheus', names: ['prometheus'] },
  promtool: { package: 'prometheus', names: ['promtool'] },
  alertmanager: { package: 'prometheus-alertmanager', names: ['alertmanager', 'prometheus-alertmanager'] },
  amtool: { package: 'prometheus-alertmanager', names: ['amtool'] },
};

/** Where fetched packages are unpacked; a second run finds them. */
const KEPT = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'penstock', 'observability');

/**
 * Paths of the tools that are wanted, and why one is missing.
 * @param {ReadonlySet<string>} wanted
 * @returns {{ paths: Map<string, string>, missing: Map<string, string> }}
 */
export function findTools(wanted) {
  const paths = new Map();
  const missing = new Map();
  for (const tool of wanted) {
    const { package: name, names } = FROM[tool];
    let path = lookUp(names);
    let why = '';
    if (path === undefined) {
      why = fetchPackage(name);
      path = lookUp(names);
    }
    if (path === undefined) missing.set(tool, `install the Debian package ${name}, or put it on the PATH (${why})`);
    else paths.set(tool, path);
  }
  return { paths, missing };
}

/** @param {readonly string[]} names */
function lookUp(names) {
  const folders = [...(process.env.PATH ?? '').split(':'), join(KEPT, 'bin'), join(KEPT, 'usr/bin')];
  for (const folder of folders) for (const name of names) if (existsSync(join(folder, name))) return join(folder, name);
  return undefined;
}

/** Packages that were tried in this run, and what came of it. @type {Map<string, string>} */
const tried = new Map();

/** Downloads and unpacks a package; why that did not work, or nothing. @param {string} name */
function fetchPackage(name) {
  const before = tried.get(name);
  if (before !== undefined) return before;
  const why = download(name);
  tried.set(name, why);
  return why;
}

/** @param {string} name */
function download(name) {
  if (spawnSync('dpkg', ['--version']).error !== undefined) return 'there is no dpkg here to fetch it with';
  mkdirSync(KEPT, { recursive: true });
  console.error(`fetching the Debian package ${name} to ${KEPT}`);
  // A list of one's own, where the system has none and may not be changed.
  const own = ['-o', `Dir::State::Lists=${join(KEPT, 'lists')}`, '-o', `Dir::Cache=${join(KEPT, 'apt')}`];
  const runs = [() => apt(['download', name]), () => apt([...own, 'update']), () => apt([...own, 'download', name])];
  mkdirSync(join(KEPT, 'lists', 'partial'), { recursive: true });
  let told = '';
  if (runs[0]().status !== 0) for (const run of runs.slice(1)) told = run().stderr.trim().split('\n').at(-1) ?? '';
  const file = readdirSync(KEPT).find((entry) => entry.startsWith(`${name}_`) && entry.endsWith('.deb'));
  if (file === undefined) return `it could not be downloaded: ${told}`;
  const unpacked = spawnSync('dpkg', ['-x', join(KEPT, file), KEPT], { encoding: 'utf8' });
  rmSync(join(KEPT, file));
  if (name === 'prometheus-alertmanager' && unpacked.status === 0) relocate();
  return unpacked.status === 0 ? '' : `it could not be unpacked: ${unpacked.stderr}`;
}

/** Where Debian's Alertmanager looks for its templates; the name is compiled in. */
const TEMPLATES = '/usr/share/prometheus/alertmanager';

/** Has it look in the folder that it is started in, by a name as long, and starts it in the one that was unpacked. */
function relocate() {
  const program = join(KEPT, 'usr/bin/prometheus-alertmanager');
  const here = './'.repeat(TEMPLATES.length / 2);
  writeFileSync(program, readFileSync(program, 'latin1').replaceAll(TEMPLATES, here), 'latin1');
  mkdirSync(join(KEPT, 'bin'), { recursive: true });
  const starter = join(KEPT, 'bin/alertmanager');
  writeFileSync(starter, `#!/bin/sh\ncd '${KEPT}${TEMPLATES}' && exec '${program}' "$@"\n`);
  chmodSync(starter, 0o755);
}

/** @param {readonly string[]} words */
function apt(words) {
  return spawnSync('apt-get', words, { cwd: KEPT, encoding: 'utf8', timeout: 120_000 });
}
