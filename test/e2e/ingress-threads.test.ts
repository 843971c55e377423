import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, vi } from 'vitest';
import { GrpcClient } from '../support/grpc-server.js';
import { grpcMessage, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const CRASH = fileURLToPath(new URL('../fixtures/crash-on-signal.cjs', import.meta.url));
const THREADS = ['--ingress-threads', '2'];
const INFER = '/v2/models/slow/infer';

let gateway: RunningGateway | undefined;
afterEach(async () => {
  vi.unstubAllEnvs();
  const code = await gateway?.stop();
  gateway = undefined;
  expect(code ?? 0).toBe(0);
});

const slow = (steps: bigint): NeutralRequest => ({
  model: 'slow',
  inputs: [tensor('x', 'FP32', [1, 1], Float32Array.of(7)), tensor('steps', 'INT64', [1, 1], BigInt64Array.of(steps))],
});

it('a thread that fails takes its own clients along and nobody else, and is replaced', async () => {
  vi.stubEnv('NODE_OPTIONS', `--require ${CRASH}`);
  const config = 'max_batch_size: 1 instance_group [ { count: 1 kind: KIND_CPU } ] dynamic_batching {}';
  const served = await RunningGateway.start(repositoryOf({ slow: { fixture: 'slow', config } }), THREADS);
  gateway = served;
  const body = jsonBody(slow(1000n));
  // Each on a connection of its own; the system shares them out between the two threads.
  const asked = Array.from({ length: 32 }, () =>
    served.call(INFER, { body }).then(
      ({ status }) => status,
      () => 'cut',
    ),
  );
  await eventually(async () => ((await served.metric('penstock_queue_depth')) ?? 0) > 20, 'requests wait');
  process.kill(served.pid, 'SIGUSR2');
  const outcomes = await Promise.all(asked);
  expect(new Set(outcomes)).toEqual(new Set([200, 'cut']));
  // What the lost clients asked for is not computed any more.
  expect(await served.metric('penstock_queue_depth')).toBe(0);
  expect(await served.metric('penstock_ingress_thread_failures_total')).toBe(1);
  expect(served.log).toMatch(/a fault of the test/);

  await eventually(async () => (await served.metric('penstock_ingress_threads')) === 2, 'the thread is replaced');
  const answers = await Promise.all(
    Array.from({ length: 32 }, () =>
      served.call(INFER, { body: jsonBody(slow(1n)), headers: { connection: 'close' } }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(32).fill(200));
  const grpc = new GrpcClient(served.grpcPort);
  await grpc.unary('ModelInfer', grpcMessage(slow(1n), true));
  grpc.close();
}, 60_000);

it('refuses ports that another gateway has, although both would share them', async () => {
  gateway = await RunningGateway.start(repositoryOf({ slow: 'slow' }), THREADS);
  for (const [flag, port] of [
    ['http-port', gateway.httpPort],
    ['grpc-port', gateway.grpcPort],
  ] as const) {
    const second = RunningGateway.start(repositoryOf({ slow: 'slow' }), [...THREADS, `--${flag}=${port}`]);
    await expect(second).rejects.toThrow(new RegExp(`port ${port}: another process has the port`));
  }
});
