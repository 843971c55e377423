import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { LoadJob, LoadResult } from './load-job.js';

/** A load generator in a process of its own. */
export interface LoadGenerator {
  /** Runs one job; one at a time. Rejects with a sentence where no load could be made at all. */
  run(job: LoadJob): Promise<LoadResult>;
  /** Ends the process. */
  end(): void;
}

/** Starts the process; whoever starts it ends it. */
export function startLoadGenerator(): LoadGenerator {
  const child = fork(fileURLToPath(new URL('./load-process.js', import.meta.url)), [], {
    serialization: 'advanced',
    execArgv: [],
  });
  let waiting: { resolve(result: LoadResult): void; reject(error: Error): void } | undefined;
  child.on('message', (message: LoadResult | { readonly failed: string }) => {
    const job = waiting;
    waiting = undefined;
    if ('failed' in message) job?.reject(new Error(message.failed));
    else job?.resolve(message);
  });
  child.on('exit', (code, signal) => {
    waiting?.reject(new Error(`the load generator ended (${signal ?? code})`));
    waiting = undefined;
  });
  return {
    run: (job) =>
      new Promise((resolve, reject) => {
        if (child.exitCode !== null) return reject(new Error('the load generator has ended'));
        waiting = { resolve, reject };
        child.send(job);
      }),
    end: () => {
      if (child.connected) child.disconnect();
    },
  };
}
