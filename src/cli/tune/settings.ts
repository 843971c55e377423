/** A way to run a model: executions at once, and threads of each. */
export interface Setting {
  readonly instances: number;
  /** Undefined: the backend has no such setting, or it is left as it is. */
  readonly threads: number | undefined;
}

export interface SettingChoices {
  readonly cores: number;
  /** Given on the command line; undefined = all that make sense here. */
  readonly instances: readonly number[] | undefined;
  readonly threads: readonly number[] | undefined;
  /** Whether the backend takes a number of threads. */
  readonly threaded: boolean;
  /** It runs on a GPU: cores say nothing of how many executions fit. */
  readonly onGpu: boolean;
}

/** Executions at once that are tried on a GPU. */
const ON_GPU = [1, 2, 4];

/**
 * The settings to measure: on the CPU one execution on one core, and those that use all cores, from one execution on all of
 * them to as many executions of one thread; never more threads than cores, unless they were asked for.
 */
export function settingsToTry({ cores, instances, threads, threaded, onGpu }: SettingChoices): Setting[] {
  if (onGpu || !threaded) {
    const counts = instances ?? (onGpu ? ON_GPU : cores === 1 ? [1] : [1, cores]);
    return counts.map((count) => ({ instances: count, threads: undefined }));
  }
  if (instances !== undefined && threads !== undefined)
    return instances.flatMap((count) => threads.map((each) => ({ instances: count, threads: each })));
  if (instances !== undefined)
    return instances.map((count) => ({ instances: count, threads: Math.max(Math.floor(cores / count), 1) }));
  if (threads !== undefined)
    return threads.map((each) => ({ instances: Math.max(Math.floor(cores / each), 1), threads: each }));
  const settings: Setting[] = [{ instances: 1, threads: 1 }];
  for (const count of divisions(cores))
    if (count > 1 || cores > 1) settings.push({ instances: count, threads: Math.floor(cores / count) });
  return settings;
}

/** 1, 2, 4 .. and all. */
function divisions(cores: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < cores; count *= 2) counts.push(count);
  return [...counts, cores];
}
