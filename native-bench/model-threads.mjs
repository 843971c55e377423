/** The threads of a gateway that run models (`run MODEL`), on Linux: their CPU time, and a core of their own. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

function modelThreads(pid) {
  const folder = `/proc/${pid}/task`;
  const named = (thread) => readFileSync(`${folder}/${thread}/comm`, 'utf8').startsWith('run ');
  return process.platform === 'linux' ? readdirSync(folder).filter(named) : [];
}

/** CPU time of these threads until now, in microseconds; 0 where there is none. */
export function modelThreadsUs(pid) {
  const nanoseconds = (thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return modelThreads(pid).reduce((sum, thread) => sum + nanoseconds(thread), 0) / 1000;
}

/** The core that is kept for models and for the floor, and the others, where the bench is told to keep them apart. */
export const CORES = { models: `${availableParallelism() - 1}`, others: `0-${availableParallelism() - 2}` };

/** Keeps this process, and what it starts from now on, off the models' core. */
export function keepApart() {
  if (availableParallelism() < 2) throw new Error('--apart needs two cores');
  place(['-a'], CORES.others, process.pid);
}

/** Moves the model threads of a gateway to their core. */
export function placeModelThreads(pid) {
  for (const thread of modelThreads(pid)) place([], CORES.models, thread);
}

function place(flags, cores, id) {
  const { status, error } = spawnSync('taskset', [...flags, '-c', '-p', cores, String(id)]);
  if (status !== 0) throw new Error(`--apart needs taskset of util-linux (${error?.message ?? `exit code ${status}`})`);
}
