/** A second opinion on HTTP: a round by autocannon, with the figures that `measureRound` gives. */
import autocannon from 'autocannon';
import { httpParts } from './requests.mjs';

export async function autocannonRound({ target, requests, load }, serverCpuUs) {
  const { path, headers, body } = httpParts(requests[0]);
  const url = `http://${target.host}:${target.port}${path}`;
  const before = await serverCpuUs();
  const seen = await autocannon({
    url,
    method: 'POST',
    headers,
    body,
    connections: load.concurrency,
    duration: Math.ceil(load.ms / 1000),
  });
  const answers = seen['2xx'];
  const cpuUsPerRequest = ((await serverCpuUs()) - before) / answers;
  const { p50, p90, p99, p99_9: p999, max } = seen.latency;
  const [p50Us, p90Us, p99Us, p999Us, maxUs] = [p50, p90, p99, p999, max].map((ms) => ms * 1000);
  const errors = seen.errors + seen.non2xx;
  return {
    figures: {
      perSecond: answers / seen.duration,
      p50Us,
      p90Us,
      p99Us,
      p999Us,
      maxUs,
      answers,
      errors,
      cpuUsPerRequest,
    },
  };
}
