/**
 * The load generator, in a process of its own (started by `load-generator.ts`), so that neither the command's event loop nor a server in
 * its process is measured with it. One `LoadJob` in, one `LoadResult` or `{ failed }` out, by IPC.
 */
import { constants, setPriority } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { openChannels } from './channel.js';
import { closedLoop } from './closed-loop.js';
import type { LoadJob, LoadResult } from './load-job.js';
import { openLoop } from './open-loop.js';

/** What a server is given to take in the connections of an open load, which here are open before it looked at them. */
const TAKE_IN_MS = 500;

/** Who has to be in time is not to wait for the server it measures, where both share a machine; only the administrator may ask for it. */
function comeFirst(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {}
}

async function runLoad({ target, requests, load }: LoadJob): Promise<LoadResult> {
  const channels = await openChannels(target, load.kind === 'closed' ? load.concurrency : load.connections);
  // IPC gives plain bytes; sockets and gRPC take buffers, made once.
  const buffers = requests.map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  if (load.kind === 'open') {
    comeFirst();
    await setTimeout(TAKE_IN_MS);
  }
  try {
    return load.kind === 'closed'
      ? await closedLoop(channels, buffers, load.ms, load.requests)
      : await openLoop(channels, buffers, load);
  } finally {
    for (const channel of channels) channel.close();
  }
}

process.on('message', (job: LoadJob) => {
  void runLoad(job).then(
    (result) => process.send?.(result),
    (thrown: unknown) => process.send?.({ failed: thrown instanceof Error ? thrown.message : String(thrown) }),
  );
});
process.on('disconnect', () => process.exit());
