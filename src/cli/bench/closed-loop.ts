import type { Channel } from './channel.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { LoadResult } from './load-job.js';

/** A caller that fails this often in a row stops: the server is gone, or does not want these requests. */
const FAILURES_IN_A_ROW = 20;

/** Every channel sends its next request when its last is answered, for `ms` or `most` requests; then the last answers are awaited. */
export async function closedLoop(
  channels: readonly Channel[],
  requests: readonly Uint8Array[],
  ms: number,
  most = Number.POSITIVE_INFINITY,
): Promise<LoadResult> {
  const latency = new LatencyHistogram();
  const start = performance.now();
  const end = start + ms;
  let errors = 0;
  let firstError: string | undefined;
  let turn = 0;

  const caller = (channel: Channel) =>
    new Promise<void>((resolve) => {
      let failuresInARow = 0;
      let sentAt = 0;
      const next = () => {
        sentAt = performance.now();
        if (sentAt >= end || turn >= most || failuresInARow === FAILURES_IN_A_ROW) return resolve();
        channel.send(requests[turn++ % requests.length]!, settled);
      };
      const settled = (error: string | undefined) => {
        if (error === undefined) {
          latency.record((performance.now() - sentAt) * 1000);
          failuresInARow = 0;
        } else {
          errors++;
          failuresInARow++;
          firstError ??= error;
        }
        next();
      };
      next();
    });
  await Promise.all(channels.map(caller));
  const seconds = (performance.now() - start) / 1000;
  const answers = latency.count;
  const open = { inTime: answers, outOfTime: 0, refusals: undefined, lag: undefined };
  return { answers, errors, firstError, seconds, latency: latency.data(), ...open };
}
