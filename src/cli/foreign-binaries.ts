import { existsSync, lstatSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CliError } from './exit-codes.js';

/** The machine and the Node that binaries are for, as packages name them in folders and files. */
export interface BinaryTarget {
  readonly os: string;
  readonly cpu: string;
  /** `process.versions.modules`. */
  readonly abi: string;
}

/** A file or folder that the target never loads. */
export interface ForeignBinary {
  /** Relative to the package's folder. */
  readonly path: string;
  readonly bytes: number;
}

export interface PackageBinaries {
  readonly package: string;
  /** Absolute and real. */
  readonly folder: string;
  /** What the target loads, relative to the folder; it is there. */
  readonly kept: string;
  readonly foreign: readonly ForeignBinary[];
}

interface Layout {
  readonly package: string;
  kept(target: BinaryTarget): string;
  /** Entries of the package, relative to its folder, that are binaries of some target; those of `target` among them or above it. */
  all(folder: string, target: BinaryTarget): string[];
}

/** The packages that bring every platform's binaries in one archive, whatever npm is told. */
const LAYOUTS: readonly Layout[] = [
  {
    package: 'onnxruntime-node',
    kept: ({ os, cpu }) => `bin/napi-v6/${os}/${cpu}`,
    all: (folder, { os }) => [
      ...foldersIn(folder, 'bin/napi-v6').filter((path) => path !== `bin/napi-v6/${os}`),
      ...foldersIn(folder, `bin/napi-v6/${os}`),
    ],
  },
  {
    package: 'uWebSockets.js',
    kept: ({ os, cpu, abi }) => `uws_${os}_${cpu}_${abi}.node`,
    all: (folder) => readdirSync(folder).filter((name) => /^uws_[a-z0-9]+_[a-z0-9]+_\d+\.node$/.test(name)),
  },
];

/**
 * What the packages that a program in `from` loads hold for other machines and other releases of Node. Throws `CliError` where
 * a package is not there, has nothing for the target, or is a link to what may be another program's.
 */
export function foreignBinaries(from: string, target: BinaryTarget): PackageBinaries[] {
  return LAYOUTS.map((layout) => {
    const folder = packageFolder(from, layout.package);
    const kept = layout.kept(target);
    if (!existsSync(join(folder, kept))) {
      throw new CliError(
        `${layout.package} has no ${kept}, which this machine and Node ${process.version} need; run npm ci, then again`,
      );
    }
    const foreign = layout
      .all(folder, target)
      .filter((path) => path !== kept)
      .map((path) => ({ path, bytes: bytesOf(join(folder, path)) }));
    return { package: layout.package, folder, kept, foreign };
  });
}

/** As Node looks for it: `node_modules/NAME` beside the program or above it. */
function packageFolder(from: string, name: string): string {
  for (let above = realpathSync(from); ; above = dirname(above)) {
    const folder = join(above, 'node_modules', name);
    if (existsSync(folder)) {
      const real = realpathSync(folder);
      if (real === folder) return folder;
      throw new CliError(
        `${folder} is a link to ${real}, which other programs may use; nothing is removed through links`,
      );
    }
    if (above === dirname(above)) throw new CliError(`${name} is not installed; run npm ci`);
  }
}

function foldersIn(folder: string, below: string): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${below}/${entry.name}`);
}

/** Sizes of files, together; links count as themselves. */
function bytesOf(path: string): number {
  const stats = lstatSync(path);
  if (!stats.isDirectory()) return stats.size;
  return readdirSync(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}
