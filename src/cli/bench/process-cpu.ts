import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time that a process has used, user and system, in microseconds; undefined where this system does not tell. Read from
 * its threads' scheduler statistics (nanoseconds); the kernel's tick counter of 10 ms stands in where there are none.
 */
export function processCpuUs(pid: number): number | undefined {
  return scheduledUs(pid) ?? tickedUs(pid);
}

/** Resident memory of a process in bytes; undefined where this system does not tell. */
export function residentBytes(pid: number): number | undefined {
  const text = textOf(`/proc/${pid}/status`);
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(text ?? '')?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

function scheduledUs(pid: number): number | undefined {
  try {
    let ns = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = textOf(`/proc/${pid}/task/${thread}/schedstat`);
      if (text === undefined) return undefined;
      ns += Number(text.split(' ')[0]);
    }
    return ns === 0 ? undefined : ns / 1000;
  } catch {
    return undefined;
  }
}

/** Fields 14 and 15 of /proc/PID/stat, counted behind the name, which may hold spaces. Linux has 100 ticks a second. */
function tickedUs(pid: number): number | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
