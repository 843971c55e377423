import { type FSWatcher, realpathSync, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Clock, ClockTimer } from '../../../core/index.js';

/** Time for whoever writes several files to be done with all of them. */
const SETTLE_MS = 500;

/**
 * Calls `changed` half a second after something happened in the folders of the files, and of what they link to; whether that was
 * of the files is for the caller to see. Folders, since certificates are renewed by renaming (cert-manager, certbot): a watch of
 * the file would stay with the old one. Keeps no process alive. Gives what ends it.
 */
export function watchFiles(
  paths: readonly string[],
  clock: Clock,
  changed: () => void,
  failed: (cause: Error) => void,
): () => void {
  const folders = new Set(paths.flatMap((path) => [dirname(resolve(path)), dirname(realpathSync(path))]));
  const watchers: FSWatcher[] = [];
  let timer: ClockTimer | undefined;
  const touched = (): void => {
    timer ??= clock.setTimer(clock.nowNs() + SETTLE_MS * 1e6, () => {
      timer = undefined;
      changed();
    });
  };
  for (const folder of folders) {
    try {
      watchers.push(watch(folder, { persistent: false }, touched).on('error', failed));
    } catch (thrown) {
      failed(thrown as Error);
    }
  }
  return () => {
    timer?.clear();
    for (const watcher of watchers) watcher.close();
  };
}
