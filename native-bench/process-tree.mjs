/** CPU time and memory of a process and all that it started (Triton serves each model by a process of its own). */
import { readdirSync, readFileSync } from 'node:fs';
import { processCpuUs } from '../dist/cli/bench/process-cpu.js';

/** Microseconds of CPU time of the processes that run now. */
export function treeCpuUs(pid) {
  return treeOf(pid).reduce((sum, each) => sum + (processCpuUs(each) ?? 0), 0);
}

/** Memory with each shared page divided among its users (PSS), so that processes of one program are not counted twice. */
export function treeMemoryBytes(pid) {
  return treeOf(pid).reduce((sum, each) => sum + proportionalBytes(each), 0);
}

function treeOf(pid) {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
    return [pid, ...children.flatMap(treeOf)];
  } catch {
    return [];
  }
}

function proportionalBytes(pid) {
  try {
    return Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
