import { readFileSync } from 'node:fs';

/** The host as its kernel counts it: all cores and all memory, not this process' part of them. */
export interface HostUsage {
  /** Share of the cores' time that was used since the call before, 0 to 1; undefined in the first. */
  readonly cpuRatio: number | undefined;
  readonly memoryTotalBytes: number | undefined;
  /** What is not available for new programs. */
  readonly memoryUsedBytes: number | undefined;
}

/** Shorter spans than this are not judged: the kernel counts in hundredths of a second. */
const LEAST_SPAN_TICKS = 50;

/**
 * Reads `/proc/stat` and `/proc/meminfo` at each call (some 50 us). Undefined figures where there is no such file.
 * `read`: gives the text of a file of `/proc`, or throws.
 */
export function hostUsage(read = (name: string): string => readFileSync(`/proc/${name}`, 'latin1')): () => HostUsage {
  let before: CpuTicks | undefined;
  let cpuRatio: number | undefined;
  return () => {
    const ticks = textOf(read, 'stat', cpuTicks);
    if (ticks !== undefined) {
      const span = before === undefined ? 0 : ticks.all - before.all;
      if (before !== undefined && span >= LEAST_SPAN_TICKS)
        cpuRatio = Math.min(Math.max((ticks.used - before.used) / span, 0), 1);
      if (before === undefined || span >= LEAST_SPAN_TICKS) before = ticks;
    }
    const memory = textOf(read, 'meminfo', (text) => ({
      total: kibibytes(text, 'MemTotal'),
      available: kibibytes(text, 'MemAvailable'),
    }));
    const { total, available } = memory ?? {};
    return {
      cpuRatio,
      memoryTotalBytes: total,
      memoryUsedBytes: total === undefined || available === undefined ? undefined : total - available,
    };
  };
}

interface CpuTicks {
  readonly all: number;
  readonly used: number;
}

/** The line of all cores: user nice system idle iowait irq softirq steal guest guest_nice; guests are counted in user and nice. */
function cpuTicks(text: string): CpuTicks | undefined {
  const fields = /^cpu +(.*)$/m.exec(text)?.[1]?.split(' ').map(Number);
  if (fields === undefined || fields.length < 4) return undefined;
  const all = fields.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0);
  return { all, used: all - (fields[3] as number) - (fields[4] ?? 0) };
}

function kibibytes(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1];
  return found === undefined ? undefined : Number(found) * 1024;
}

function textOf<T>(read: (name: string) => string, name: string, take: (text: string) => T): T | undefined {
  try {
    return take(read(name));
  } catch {
    return undefined;
  }
}
