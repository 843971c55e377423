import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/**
 * Whole cores that the container's CPU quota is worth, at least 1; undefined where there is no quota. Node counts them
 * itself from libuv 1.49 on (Node 24), ONNX Runtime never does: threads past the quota wait for each other throttled.
 */
export function coreQuota(root = '/'): number | undefined {
  const shares = [...quotaFiles(root)].map(([file, read]) => read(textOf(join(root, file)), root));
  const limits = shares.filter((share) => share !== undefined);
  return limits.length === 0 ? undefined : Math.max(1, Math.ceil(Math.min(...limits)));
}

/** Cores this process may use: by affinity, and by the container's quota. */
export function usableCores(root = '/'): number {
  return Math.min(availableParallelism(), coreQuota(root) ?? Number.POSITIVE_INFINITY);
}

/**
 * Threads of libuv's pool for so many cores: loads, files and compression, and runs of models that have no thread of their
 * own, often wait in it rather than compute. Their stacks are small until they are used.
 */
export function poolThreads(cores: number): number {
  return Math.min(256, Math.max(8, cores * 2 + 4));
}

type ReadShare = (text: string | undefined, root: string) => number | undefined;

/** Files that hold a quota: of this process's group and of each above it (version 2), or of the container (version 1). */
function* quotaFiles(root: string): Generator<readonly [string, ReadShare]> {
  const own = /^0::(\/.*)$/m.exec(textOf(join(root, 'proc/self/cgroup')) ?? '')?.[1] ?? '/';
  for (let group = own; ; group = group.slice(0, group.lastIndexOf('/'))) {
    yield [join('sys/fs/cgroup', group, 'cpu.max'), shareOfV2];
    if (group === '' || group === '/') break;
  }
  yield ['sys/fs/cgroup/cpu/cpu.cfs_quota_us', shareOfV1];
}

/** `max 100000` or `150000 100000`. */
const shareOfV2: ReadShare = (text) => {
  const match = /^(\d+) (\d+)/.exec(text ?? '');
  return match === null ? undefined : Number(match[1]) / Number(match[2]);
};

/** Quota in microseconds, -1 = none; the period stands in a file beside. */
const shareOfV1: ReadShare = (text, root) => {
  const quotaUs = Number(text ?? -1);
  const periodUs = Number(textOf(join(root, 'sys/fs/cgroup/cpu/cpu.cfs_period_us')) ?? 0);
  return quotaUs > 0 && periodUs > 0 ? quotaUs / periodUs : undefined;
};

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // Not Linux, or another version of control groups.
  }
}
