import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeEnsemble } from '../support/ensembles.js';
import { type Form, InferForms, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

// How often a byte of a tensor is copied on the main thread, in and out together, by every route. A copy more is a slower
// server: who adds one changes this table and `src/decisions/0009`. What the libraries below us copy is not counted.

const PROBE = new URL('../fixtures/copy-probe.mjs', import.meta.url);
const WIDTH = 50_000;
const BYTES = 4 * WIDTH;

let gateway: RunningGateway;
let forms: InferForms;

beforeAll(async () => {
  const io = (name: string) => `[{ name: "${name}" data_type: TYPE_FP32 dims: [ -1 ] }]`;
  const pair = 'dynamic_batching { preferred_batch_size: [ 2 ] max_queue_delay_microseconds: 5000000 }';
  const models = repositoryOf({
    one: 'identity_fp32',
    unnamed: 'identity_unnamed',
    fixed: 'identity_wide',
    fixed_pair: { fixture: 'identity_wide', config: `max_batch_size: 2 ${pair}` },
    pair: { fixture: 'identity_fp32', config: `max_batch_size: 2 ${pair}` },
    script: {
      fixture: 'echo.cjs',
      config: `backend: "script" max_batch_size: 4 input ${io('INPUT0')} output ${io('INPUT0_out')}`,
    },
    binding: {
      fixture: 'identity_fp32',
      config: 'parameters { key: "penstock.engine" value { string_value: "node" } }',
    },
  });
  const io2 = `max_batch_size: 4 input ${io('INPUT0')} output ${io('INPUT0_out')}`;
  writeEnsemble(models, 'chain', io2, [
    { model: 'one', in: { INPUT0: 'INPUT0' }, out: { OUTPUT0: 'mid' } },
    { model: 'one', in: { INPUT0: 'mid' }, out: { OUTPUT0: 'INPUT0_out' } },
  ]);
  writeEnsemble(models, 'through', io2, [{ model: 'one', in: { INPUT0: 'INPUT0' }, out: { OUTPUT0: 'INPUT0_out' } }]);
  const chain = (name: string, ...members: string[]) =>
    writeEnsemble(
      models,
      name,
      io2.replace('size: 4', 'size: 2'),
      members.map((model, i) => ({
        model,
        in: { INPUT0: i === 0 ? 'INPUT0' : `mid${i}` },
        out: { [model === 'script' ? 'INPUT0_out' : 'OUTPUT0']: i + 1 < members.length ? `mid${i + 1}` : 'INPUT0_out' },
      })),
    );
  chain('fixed_chain', 'fixed', 'fixed', 'fixed', 'fixed');
  chain('pair_chain', 'fixed_pair', 'fixed_pair', 'fixed_pair');
  chain('script_chain', 'script', 'fixed');
  gateway = await RunningGateway.start(models, ['--ingress-threads=0'], PROBE);
  forms = new InferForms(gateway);
}, 60_000);

afterAll(async () => {
  await forms.close();
  expect(await gateway.stop()).toBe(0);
});

function request(model: string): NeutralRequest {
  // Numbers whose text is short, so that JSON is not larger than the tensor.
  const values = Float32Array.from({ length: WIDTH }, (_, i) => i % 10);
  return { model, inputs: [tensor('INPUT0', 'FP32', [1, WIDTH], values)] };
}

const form = (name: string): Form => [...forms.all, forms.rawBody].find((one) => one.name === name) as Form;

/** Copies of each of the tensor's bytes, over `times` requests at once. */
async function copies(name: string, model: string, times = 1): Promise<number> {
  const send = async () => {
    const answer = await form(name).send(request(model));
    if (!answer.ok) throw new Error(answer.message);
    const [output] = answer.outputs;
    expect(Buffer.compare(output?.data as Uint8Array, request(model).inputs[0]?.data as Uint8Array)).toBe(0);
  };
  await Promise.all(Array.from({ length: times }, send));
  const before = (await gateway.ask()) as number;
  await Promise.all(Array.from({ length: times }, send));
  return (((await gateway.ask()) as number) - before) / BYTES / times;
}

describe('copies of a byte', () => {
  it.each([
    // In: from the socket's chunks into a slot, read there. Out: into the reply.
    ['HTTP binary', 'one', 1, 2],
    ['HTTP raw body', 'one', 1, 2],
    ['gRPC raw', 'one', 1, 2],
    ['gRPC stream', 'one', 1, 2],
    ['WebSocket binary', 'one', 1, 2],
    // Out of ONNX Runtime once more, where the file does not tell the shape.
    ['HTTP binary', 'unnamed', 1, 3],
    // In: into a slot, and gathered with the other's. Out: as above.
    ['HTTP binary', 'pair', 2, 3],
    ['gRPC raw', 'pair', 2, 3],
    // One step: as its model alone.
    ['HTTP binary', 'through', 1, 2],
    // Two steps: ONNX Runtime writes where the next step reads.
    ['HTTP binary', 'chain', 1, 2],
    ['gRPC raw', 'chain', 1, 2],
    // Four, of fixed shape; and with others in a batch, which go on together.
    ['HTTP binary', 'fixed', 1, 2],
    ['HTTP binary', 'fixed_chain', 1, 2],
    ['gRPC raw', 'fixed_chain', 1, 2],
    ['HTTP binary', 'fixed_pair', 2, 3],
    ['HTTP binary', 'pair_chain', 2, 3],
    // A script's output is read where its thread wrote it.
    ['HTTP binary', 'script_chain', 1, 3],
    // In: the inflated body comes from another thread and belongs to nobody else; gathered.
    ['HTTP binary, deflate', 'one', 1, 2],
    // In: into a slot, then into memory that the model's thread reads. Out: from what it wrote into the reply.
    ['HTTP binary', 'script', 1, 3],
    ['HTTP binary', 'binding', 1, 3],
    // Floats in one packed run are bytes.
    ['gRPC typed', 'one', 1, 2],
    // In: the text (here half as long) into the window of the number code, its elements out of it, gathered. Out: into the
    // window; their text (as long) out of it, from where it was put together, once because that had to grow.
    // The window's last pieces are too small to be counted.
    ['WebSocket text', 'one', 1, 5.45],
    ['HTTP JSON', 'one', 1, 5.45],
    ['HTTP JSON, gzip both ways', 'one', 1, 5.45],
  ])('by %s to the model %s, %i at once: %f', async (name, model, times, expected) => {
    expect(await copies(name, model, times)).toBeCloseTo(expected, 1);
  });
});
