/** Closed-loop gRPC load on grpc-js: `connections` calls in flight over one channel each eight; bytes in, bytes out. */
import { Client, credentials } from '@grpc/grpc-js';

const PATH = '/inference.GRPCInferenceService/ModelInfer';
const pass = (bytes) => bytes;

/** @returns {Promise<{ perSecond: number, p50Us: number, p99Us: number, errors: number, answers: number }>} */
export async function grpcLoad({ port, request, connections, ms }) {
  const channels = Array.from(
    { length: Math.ceil(connections / 8) },
    (_, i) =>
      new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
        'grpc.use_local_subchannel_pool': 1,
        'bench.channel': i,
      }),
  );
  const latenciesUs = [];
  let errors = 0;
  const start = performance.now();
  const end = start + ms;
  const loop = (client) =>
    new Promise((resolve) => {
      const next = () => {
        const sentAt = performance.now();
        if (sentAt >= end) return resolve();
        client.makeUnaryRequest(PATH, pass, pass, request, (error) => {
          if (error) errors++;
          else latenciesUs.push((performance.now() - sentAt) * 1000);
          next();
        });
      };
      next();
    });
  await Promise.all(Array.from({ length: connections }, (_, i) => loop(channels[i % channels.length])));
  const seconds = (performance.now() - start) / 1000;
  for (const channel of channels) channel.close();
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
