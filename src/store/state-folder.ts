import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { basename, isAbsolute, join, resolve } from 'node:path';

/** The file's name in its folder. */
const FILE = 'state.db';

export interface StatePlace {
  /** Of the configuration: a folder, `off`, or undefined for one by repository. */
  readonly folder: string | undefined;
  readonly repositories: readonly string[];
  readonly cwd: string;
  /** `XDG_STATE_HOME` of the environment. */
  readonly xdgStateHome: string | undefined;
}

/**
 * Where the state is kept; undefined = in memory only. By default `penstock/NAME-HASH/state.db` in `$XDG_STATE_HOME`, else in
 * `~/.local/state`: NAME and HASH are of the repositories, so that the same models find their state again whoever starts them.
 * A user without a home (as in some containers) has none by default.
 */
export function stateFile({ folder, repositories, cwd, xdgStateHome }: StatePlace): string | undefined {
  if (folder === 'off') return undefined;
  if (folder !== undefined) return join(resolve(cwd, folder), FILE);
  const home = stateHome(xdgStateHome);
  const [first] = repositories;
  if (home === undefined || first === undefined) return undefined;
  const folders = repositories.map((one) => resolve(cwd, one));
  const hash = createHash('sha256').update(folders.join('\0')).digest('hex').slice(0, 16);
  return join(home, `${basename(folders[0]!)}-${hash}`, FILE);
}

/** By the XDG base directory specification, which ignores a relative path. */
function stateHome(xdgStateHome: string | undefined): string | undefined {
  if (xdgStateHome !== undefined && isAbsolute(xdgStateHome)) return join(xdgStateHome, 'penstock');
  const home = homedir();
  return isAbsolute(home) && home !== '/' ? join(home, '.local', 'state', 'penstock') : undefined;
}
