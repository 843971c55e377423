import { accessSync, constants, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CliError, EXIT_CODES } from './exit-codes.js';
import { type BinaryTarget, foreignBinaries, type PackageBinaries } from './foreign-binaries.js';
import type { CliIo } from './io.js';
import { textTable } from './text-table.js';

export interface PruneOptions {
  /** Remove; else only show. */
  readonly yes: boolean;
  readonly json: boolean;
  /** A folder of the program whose packages are meant; default this program's. */
  readonly from?: string;
  /** Default this machine and this Node. */
  readonly target?: BinaryTarget;
}

/**
 * `penstock prune`: removes from the installed packages the binaries of other platforms and other releases of Node. Removes
 * nothing where one of them cannot be removed. A second run finds nothing.
 */
export function prune(options: PruneOptions, io: CliIo): number {
  const { from = import.meta.dirname, target = thisMachine() } = options;
  const packages = foreignBinaries(from, target);
  const foreign = packages.flatMap(({ folder, foreign }) => foreign.map(({ path }) => join(folder, path)));
  if (options.yes) {
    for (const path of foreign) checkRemovable(path);
    for (const path of foreign) rmSync(path, { recursive: true });
  }
  io.stdout.write(options.json ? `${JSON.stringify(asJson(packages, options.yes))}\n` : asText(packages, options.yes));
  return EXIT_CODES.done;
}

function thisMachine(): BinaryTarget {
  return { os: process.platform, cpu: process.arch, abi: process.versions.modules };
}

function checkRemovable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (thrown) {
    throw new CliError(
      `cannot write to ${dirname(path)} (${(thrown as NodeJS.ErrnoException).code}); nothing was removed`,
    );
  }
}

const sum = (entries: readonly { readonly bytes: number }[]) => entries.reduce((total, { bytes }) => total + bytes, 0);
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

function asJson(packages: readonly PackageBinaries[], removed: boolean): object {
  return { removed, bytes: sum(packages.flatMap(({ foreign }) => foreign)), packages };
}

function asText(packages: readonly PackageBinaries[], removed: boolean): string {
  const rows = packages.flatMap((one) => one.foreign.map((entry) => [one.package, entry.path, megabytes(entry.bytes)]));
  const kept = packages.map((one) => `${one.package} keeps ${one.kept}\n`).join('');
  if (rows.length === 0) return `${kept}nothing to remove\n`;
  const total = megabytes(sum(packages.flatMap(({ foreign }) => foreign)));
  const end = removed
    ? `removed ${total} MB; npm ci brings them back\n`
    : `${total} MB would be removed; penstock prune --yes removes them\n`;
  return textTable(['PACKAGE', 'OTHER PLATFORMS AND RELEASES OF NODE', 'MB'], rows) + kept + end;
}
