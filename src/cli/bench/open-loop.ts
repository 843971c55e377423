import { Alarms } from '../../machine/index.js';
import type { Channel } from './channel.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { LoadResult, OpenLoad } from './load-job.js';

/** Exact to a tenth of a millisecond, and asleep between requests: the generator shares its machine with the server. */
const alarms = new Alarms();

/**
 * Sends requests at their times, whatever the server does. Latency counts from the due time, also of what waits for a free
 * channel, so that a stall shows in every request that it delays (no coordinated omission).
 */
export async function openLoop(
  channels: readonly Channel[],
  requests: readonly Uint8Array[],
  { arrivalsMs, drainMs, withinMs = Number.POSITIVE_INFINITY }: Omit<OpenLoad, 'kind' | 'connections'>,
): Promise<LoadResult> {
  const latency = new LatencyHistogram();
  const lag = new LatencyHistogram();
  const refusals = new LatencyHistogram();
  const idle = [...channels];
  const start = performance.now();
  let sent = 0;
  let settled = 0;
  let inTime = 0;
  let outOfTime = 0;
  let errors = 0;
  let firstError: string | undefined;
  let lastAnswer = start;
  const failed = (count: number, why: string) => {
    errors += count;
    firstError ??= why;
  };

  await new Promise<void>((resolve) => {
    const giveUp = setTimeout(resolve, (arrivalsMs.at(-1) ?? 0) + drainMs);
    /** Whether due requests wait for a channel: then their delay is the server's, and answers send them. */
    let backlog = false;
    const send = (channel: Channel, now: number, late: boolean) => {
      const dueAt = start + arrivalsMs[sent]!;
      if (late) lag.record((now - dueAt) * 1000);
      channel.send(requests[sent % requests.length]!, (error, refusal) => {
        const answeredAt = performance.now();
        settled++;
        if (error === undefined) {
          latency.record((answeredAt - dueAt) * 1000);
          lastAnswer = answeredAt;
          if (answeredAt - dueAt <= withinMs) inTime++;
        } else {
          if (refusal !== undefined) refusals.record((answeredAt - dueAt) * 1000);
          if (refusal === 'time') outOfTime++;
          failed(1, error);
        }
        idle.push(channel);
        if (settled === arrivalsMs.length) {
          clearTimeout(giveUp);
          resolve();
          // Who is due is not to wait until all answers that came at once are read.
        } else if (backlog || (sent < arrivalsMs.length && start + arrivalsMs[sent]! <= answeredAt)) sendDue();
      });
      sent++;
    };
    const sendDue = () => {
      const free = !backlog;
      for (let now = performance.now(); sent < arrivalsMs.length && start + arrivalsMs[sent]! <= now; ) {
        const channel = idle.pop();
        backlog = channel === undefined;
        if (channel === undefined) return;
        send(channel, now, free);
        now = performance.now();
      }
      backlog = false;
    };
    const turn = () => {
      sendDue();
      if (sent === arrivalsMs.length) return;
      if (backlog) setTimeout(turn, 1);
      else alarms.set((start + arrivalsMs[sent]!) * 1e6, turn);
    };
    turn();
    if (arrivalsMs.length === 0) resolve();
  });
  const unanswered = arrivalsMs.length - settled;
  if (unanswered > 0) failed(unanswered, `not answered ${drainMs} ms after the last was due`);
  const seconds = (Math.max(lastAnswer - start, arrivalsMs.at(-1) ?? 0) || 1) / 1000;
  // What is still waiting must not be sent any more.
  sent = arrivalsMs.length;
  const seen = { latency: latency.data(), lag: lag.data(), refusals: refusals.data() };
  return { answers: latency.count, inTime, outOfTime, errors, firstError, seconds, ...seen };
}
