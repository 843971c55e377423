import { readFileSync } from 'node:fs';
import { CliError, EXIT_CODES } from './exit-codes.js';

/** The text of a file that a command line names, 0 for standard input. Throws `CliError`, which calls it `shown`. */
export function readTextFile(path: string | 0, shown = String(path)): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    throw new CliError(`${shown}: cannot be read (${(thrown as NodeJS.ErrnoException).code})`, EXIT_CODES.usage);
  }
}
