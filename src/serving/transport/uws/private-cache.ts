import { lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { threadId } from 'node:worker_threads';

/**
 * Path of a file that holds exactly `content`, in a folder that only this user can write: what is loaded from it as code
 * cannot be another user's. An existing file is compared byte for byte and replaced where it differs; writing is atomic
 * (a temporary name, then rename), so that processes and threads that start at once never see half a file.
 */
export function placeInPrivateCache(fileName: string, content: Uint8Array): string {
  for (const folder of candidates()) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      if (!isPrivate(folder)) continue;
      return placeIn(folder, fileName, content);
    } catch {
      // Read-only or full: the next folder.
    }
  }
  return placeIn(mkdtempSync(join(tmpdir(), 'penstock-')), fileName, content);
}

function candidates(): string[] {
  const xdg = process.env.XDG_CACHE_HOME;
  const uid = process.getuid?.() ?? 0;
  const folders: string[] = [];
  if (xdg !== undefined && isAbsolute(xdg)) folders.push(join(xdg, 'penstock'));
  else if (isAbsolute(homedir()) && homedir() !== '/') folders.push(join(homedir(), '.cache', 'penstock'));
  folders.push(join(tmpdir(), `penstock-${uid}`));
  return folders;
}

/** Ours, a real folder, and writable for nobody else. */
function isPrivate(folder: string): boolean {
  const facts = lstatSync(folder);
  return facts.isDirectory() && facts.uid === process.getuid?.() && (facts.mode & 0o022) === 0;
}

function placeIn(folder: string, fileName: string, content: Uint8Array): string {
  const path = join(folder, fileName);
  if (holds(path, content)) return path;
  const temporary = join(folder, `.${fileName}.${process.pid}.${threadId}.${process.hrtime.bigint()}`);
  try {
    writeFileSync(temporary, content, { mode: 0o600, flag: 'wx', flush: true });
    renameSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  if (!holds(path, content)) throw new Error(`${path} does not hold what was written`);
  return path;
}

function holds(path: string, content: Uint8Array): boolean {
  try {
    const facts = lstatSync(path);
    return facts.isFile() && facts.size === content.byteLength && readFileSync(path).equals(content);
  } catch {
    return false;
  }
}
