import { afterEach, expect, it } from 'vitest';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

let gateway: RunningGateway;
afterEach(() => gateway.stop());

const parameter = (name: string, value: string) =>
  `{ key: "penstock.provider.${name}" value { string_value: "${value}" } }`;
const body = (rows: number) => ({
  inputs: [
    { name: 'x', datatype: 'FP32', shape: [rows, 64], data: Array.from({ length: rows * 64 }, (_, i) => Math.sin(i)) },
  ],
});

it('models with bound lanes answer as others do, many at once', async () => {
  const config = `max_batch_size: 8 dynamic_batching {} instance_group [ { kind: KIND_CPU count: 2 } ]`;
  gateway = await RunningGateway.start(
    repositoryOf({
      plain: { fixture: 'mlp', config },
      bound: { fixture: 'mlp', config: `${config} parameters [ ${parameter('io_binding', 'true')} ]` },
    }),
  );
  const ask = async (model: string, rows: number) => {
    const { outputs } = (await gateway.post(`/v2/models/${model}/infer`, body(rows))).json();
    return outputs[0];
  };
  const sizes = Array.from({ length: 40 }, (_, i) => (i % 4) + 1);
  const [plain, bound] = await Promise.all(
    ['plain', 'bound'].map((model) => Promise.all(sizes.map((rows) => ask(model, rows)))),
  );
  expect(plain?.[3]).toMatchObject({ name: 'logits', shape: [4, 10] });
  for (const [i, output] of (bound ?? []).entries()) {
    expect(output.shape).toEqual([sizes[i], 10]);
    // Batches gather differently, and a kernel may sum in another order.
    output.data.forEach((value: number, at: number) => {
      expect(value).toBeCloseTo(plain?.[i].data[at], 4);
    });
  }
});

it('what has no GPU or no meaning here is refused by name, and the metrics tell of the devices', async () => {
  const cpu = 'max_batch_size: 4 instance_group [ { kind: KIND_CPU } ]';
  gateway = await RunningGateway.start(
    repositoryOf({
      fine: { fixture: 'mlp', config: cpu },
      graphs: { fixture: 'mlp', config: `${cpu} parameters [ ${parameter('cuda_graph_batch_sizes', '1,4')} ]` },
      strings: { fixture: 'identity_bytes', config: `parameters [ ${parameter('io_binding', 'true')} ]` },
      misspelt: { fixture: 'mlp', config: `parameters [ ${parameter('options.gpu_mem_limt', '5')} ]` },
    }),
    ['--strict-readiness=false'],
  );
  const index = (await gateway.post('/v2/repository/index', {})).json() as { name: string; reason?: string }[];
  const reasons = Object.fromEntries(index.map(({ name, reason }) => [name, reason ?? '']));
  expect(reasons.fine).toBe('');
  expect(reasons.graphs).toMatch(/its instances are on the CPU, graphs need KIND_GPU/);
  expect(reasons.strings).toMatch(/io_binding needs tensors of fixed size: 'INPUT0' holds strings/);
  expect(reasons.misspelt).toMatch(/unknown CUDA provider option 'gpu_mem_limt', did you mean 'gpu_mem_limit'\?/);
  expect(await gateway.scrape()).toContain('penstock_device_state{device="cpu:0",state="serving"} 1');
});
