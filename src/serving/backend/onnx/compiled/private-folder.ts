import { chmod, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Makes a folder where it is missing and gives its real path. Throws, with the reason, where another user owns it or may
 * write it: what lies in it is loaded as a model.
 */
export async function openPrivateFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const real = await realpath(folder);
  const facts = await stat(real);
  if (!facts.isDirectory()) throw new Error('it is not a folder');
  if (facts.uid !== process.getuid?.()) throw new Error(`it belongs to user ${facts.uid}`);
  if ((facts.mode & 0o022) !== 0) throw new Error('other users may write it (expected mode 0700)');
  return real;
}

/** Writes a file of mode 0600 in one step: a reader sees all of it or none. */
export async function writeAtomically(folder: string, name: string, text: string): Promise<void> {
  const temporary = join(folder, temporaryName());
  try {
    await writeDurably(temporary, text);
    await rename(temporary, join(folder, name));
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Writes a new file of mode 0600 and waits until the disk has it. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Takes everybody else's rights from a file that another library wrote, and waits until the disk has it. */
export async function secureFile(path: string): Promise<void> {
  await chmod(path, 0o600);
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

let temporaries = 0;

/** A name that no other process or call uses; the cache's sweep knows it by its first character. */
export function temporaryName(): string {
  return `.${process.pid}.${process.hrtime.bigint()}.${temporaries++}`;
}
