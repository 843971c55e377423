import type { Channel } from './channel.js';
import { LatencyHistogram } from './latency-histogram.js';
import type { LoadResult } from './load-job.js';

/** Timers of Node are late by up to this; below it the loop turns until the time has come. */
const TIMER_SLACK_MS = 2;

/**
 * Sends requests at their times, whatever the server does. Latency counts from the due time, also of what waits for a free
 * channel, so that a stall shows in every request that it delays (no coordinated omission).
 */
export async function openLoop(
  channels: readonly Channel[],
  requests: readonly Uint8Array[],
  arrivalsMs: Float64Array,
  drainMs: number,
): Promise<LoadResult> {
  const latency = new LatencyHistogram();
  const lag = new LatencyHistogram();
  const idle = [...channels];
  const start = performance.now();
  let sent = 0;
  let settled = 0;
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
      channel.send(requests[sent % requests.length]!, (error) => {
        const answeredAt = performance.now();
        settled++;
        if (error === undefined) {
          latency.record((answeredAt - dueAt) * 1000);
          lastAnswer = answeredAt;
        } else failed(1, error);
        idle.push(channel);
        if (settled === arrivalsMs.length) {
          clearTimeout(giveUp);
          resolve();
        } else if (backlog) sendDue();
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
      const inMs = start + arrivalsMs[sent]! - performance.now();
      if (backlog) setTimeout(turn, 1);
      else if (inMs > TIMER_SLACK_MS) setTimeout(turn, inMs - TIMER_SLACK_MS);
      else setImmediate(turn);
    };
    turn();
    if (arrivalsMs.length === 0) resolve();
  });
  const unanswered = arrivalsMs.length - settled;
  if (unanswered > 0) failed(unanswered, `not answered ${drainMs} ms after the last was due`);
  const seconds = (Math.max(lastAnswer - start, arrivalsMs.at(-1) ?? 0) || 1) / 1000;
  // What is still waiting must not be sent any more.
  sent = arrivalsMs.length;
  return { answers: latency.count, errors, firstError, seconds, latency: latency.data(), lag: lag.data() };
}
