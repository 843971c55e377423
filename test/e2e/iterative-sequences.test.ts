import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeEnsemble } from '../support/ensembles.js';
import { GrpcClient, type Message } from '../support/grpc-server.js';
import { jsonBody, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const INT = (name: string) => `{ name: "${name}" data_type: TYPE_INT32 dims: [ 1 ] }`;
const START =
  'control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] } ]';
const TENSORS = `backend: "script" input [ ${INT('INPUT')} ] output [ ${INT('OUTPUT')} ]`;
const STATE = 'state [ { input_name: "past" output_name: "next" data_type: TYPE_INT32 dims: [ 1 ] } ]';
const KEPT = 'parameters { key: "kept" value { string_value: "yes" } }';
const ITERATIVE = (more: string) => `sequence_batching { iterative_sequence: true ${START} ${more} }`;
const DECOUPLED = 'model_transaction_policy { decoupled: true }';

let gateway: RunningGateway;
let grpc: GrpcClient;

beforeAll(async () => {
  const fixture = 'countdown.mjs';
  const models = repositoryOf({
    iterative_sequence: {
      fixture,
      config: `${TENSORS} max_batch_size: 4 ${KEPT} ${DECOUPLED} ${ITERATIVE(`oldest { max_candidate_sequences: 8 } ${STATE}`)}`,
    },
    last: {
      fixture,
      config: `${TENSORS} max_batch_size: 8 ${ITERATIVE('direct { }')}
        parameters { key: "penstock.max_iterations" value { string_value: "30" } }`,
    },
    endless: {
      fixture,
      config: `${TENSORS} max_batch_size: 2 ${KEPT} ${ITERATIVE(STATE)}
      parameters { key: "penstock.max_iterations" value { string_value: "1000000" } }`,
    },
  });
  writeEnsemble(models, 'steps', `max_batch_size: 1 input [ ${INT('INPUT')} ] output [ ${INT('OUTPUT')} ]`, [
    { model: 'last', in: { INPUT: 'INPUT' }, out: { OUTPUT: 'OUTPUT' } },
  ]);
  gateway = await RunningGateway.start(models, ['--log-error=false']);
  grpc = new GrpcClient(gateway.grpcPort);
}, 60_000);

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

const ask = (id: string, runs: number, parameters: object = {}): Message => ({
  model_name: 'iterative_sequence',
  id,
  parameters,
  inputs: [{ name: 'INPUT', datatype: 'INT32', shape: [1, 1] }],
  raw_input_contents: [Buffer.from(Int32Array.of(runs).buffer)],
});
const numbers = (messages: readonly Message[], id: string) =>
  messages
    .filter(({ infer_response }) => infer_response?.id === id)
    .map(({ infer_response }) => (infer_response.raw_output_contents[0] as Buffer).readInt32LE(0));
const infer = (model: string, runs: number, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  gateway.call(`/v2/models/${model}/infer`, {
    body: jsonBody({ model, inputs: [tensor('INPUT', 'INT32', [1, 1], Int32Array.of(runs))] }),
    headers,
    ...(signal === undefined ? {} : { signal }),
  });
const statistics = async (model: string) =>
  (await gateway.call(`/v2/models/${model}/stats`)).json().model_stats[0] as {
    inference_count: number;
    execution_count: number;
  };
const down = (runs: number) => Array.from({ length: runs }, (_, i) => runs - 1 - i);

describe('iterative sequences', () => {
  it("answer as Triton's example does: a response a run, over generate_stream and a stream of gRPC", async () => {
    const answer = await gateway.call('/v2/models/iterative_sequence/generate_stream', { body: '{"INPUT": 2}' });
    const events = answer.body
      .toString()
      .split('\n\n')
      .filter((line) => line.startsWith('data: '));
    expect(events.map((event) => JSON.parse(event.slice(6)).OUTPUT)).toEqual([1, 0]);
    const stream = grpc.bidi('ModelStreamInfer').send(ask('a', 2)).half();
    expect(await stream.ended).toBeUndefined();
    expect(numbers(stream.messages, 'a')).toEqual([1, 0]);
  });

  it('have runs of many requests in one batch, each in its own order', async () => {
    const before = await statistics('iterative_sequence');
    const stream = grpc
      .bidi('ModelStreamInfer')
      .send(...down(8).map((i) => ask(`r${i}`, 10 + i)))
      .half();
    expect(await stream.ended).toBeUndefined();
    for (const i of down(8)) expect(numbers(stream.messages, `r${i}`)).toEqual(down(10 + i));
    const after = await statistics('iterative_sequence');
    const runs = down(8).reduce((sum, i) => sum + 10 + i, 0);
    expect(after.inference_count - before.inference_count).toBe(8);
    expect(after.execution_count - before.execution_count).toBeLessThan(runs / 2);
  });

  it('give callers of one answer the last, with what all runs took', async () => {
    const answers = await Promise.all(down(8).map(() => infer('last', 20)));
    for (const answer of answers) expect([answer.status, answer.json().outputs[0].data]).toEqual([200, [0]]);
    const { inference_count: requests, execution_count: executions } = await statistics('last');
    expect(requests).toBe(8);
    expect(executions).toBeLessThan(80);
    expect((await infer('steps', 3)).json().outputs[0].data).toEqual([0]);
  });

  it('end where they are run too often, with the reason', async () => {
    const answer = await infer('last', 31);
    expect(answer.status).toBe(500);
    expect(answer.json().error).toMatch(/run 30 times for the request .* \(max_iterations\)/);
  });

  it('end at the deadline and when the caller goes, and leave their slots', async () => {
    const late = await infer('endless', 1_000_000, { 'x-request-timeout-ms': '150' });
    expect(late.status, late.body.toString()).toBe(504);
    const leave = new AbortController();
    const gone = [1, 2].map(() => infer('endless', 1_000_000, {}, leave.signal).catch(() => 'gone'));
    await eventually(async () => {
      const report = (await gateway.call('/v2/models/endless/scheduler')).json();
      return report.sequences.slots_in_use === 2;
    }, 'both run');
    leave.abort();
    expect(await Promise.all(gone)).toEqual(['gone', 'gone']);
    expect((await infer('endless', 3)).json().outputs[0].data).toEqual([0]);
    const stream = grpc.bidi('ModelStreamInfer').send(...down(8).map((i) => ask(`x${i}`, 4000)));
    await stream.count(20);
    stream.call.cancel();
    await stream.ended;
    const after = grpc.bidi('ModelStreamInfer').send(ask('b', 3)).half();
    expect(await after.ended).toBeUndefined();
    expect(numbers(after.messages, 'b')).toEqual(down(3));
  });

  it('wait for a caller that does not read, and not for the others', async () => {
    const slow = grpc.bidi('ModelStreamInfer').send(ask('slow', 4000)).half();
    await slow.count(1);
    slow.call.pause();
    for (let i = 0; i < 5; i++) {
      const other = grpc.bidi('ModelStreamInfer').send(ask('o', 4)).half();
      expect(await other.ended).toBeUndefined();
      expect(numbers(other.messages, 'o')).toEqual(down(4));
    }
    slow.call.cancel();
    await slow.ended;
  });
});
