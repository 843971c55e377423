/**
 * Closed-loop HTTP load: `connections` kept-alive sockets, one request in flight on each, every answer's status and body
 * length checked. Written on bare sockets so that the client costs little of the machine it shares with the server.
 */
import { connect } from 'node:net';

/**
 * Sends `request` (a whole HTTP/1.1 request) again and again for `ms`.
 * @returns {Promise<{ perSecond: number, p50Us: number, p99Us: number, errors: number, answers: number }>}
 */
export async function httpLoad({ port, request, connections, ms }) {
  const latenciesUs = [];
  let errors = 0;
  const start = performance.now();
  const end = start + ms;
  await Promise.all(
    Array.from({ length: connections }, () => oneConnection(port, request, end, latenciesUs, () => errors++)),
  );
  const seconds = (performance.now() - start) / 1000;
  latenciesUs.sort((a, b) => a - b);
  const at = (q) => latenciesUs[Math.min(latenciesUs.length - 1, Math.floor(q * latenciesUs.length))] ?? Number.NaN;
  return {
    perSecond: latenciesUs.length / seconds,
    p50Us: at(0.5),
    p99Us: at(0.99),
    errors,
    answers: latenciesUs.length,
  };
}

function oneConnection(port, request, end, latenciesUs, onError) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let sentAt = 0;
    let pending = Buffer.alloc(0);
    const send = () => {
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('error', () => {
      onError();
      resolve();
    });
    socket.on('close', () => resolve());
    socket.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const head = pending.indexOf('\r\n\r\n');
      if (head < 0) return;
      const text = pending.latin1Slice(0, head);
      const length = /\r\ncontent-length: (\d+)/i.exec(text);
      const total = head + 4 + Number(length?.[1] ?? 0);
      if (pending.length < total) return;
      if (text.startsWith('HTTP/1.1 200')) latenciesUs.push((performance.now() - sentAt) * 1000);
      else onError();
      pending = pending.subarray(total);
      if (performance.now() < end) send();
      else socket.end();
    });
  });
}
