import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { serialiseBytes } from '../../src/core/index.js';
import { writeEnsemble } from '../support/ensembles.js';
import { GrpcClient, type Message } from '../support/grpc-server.js';
import { RunningGateway, repositoryOf } from '../support/running-gateway.js';

let gateway: RunningGateway;
let grpc: GrpcClient;

const OUTPUT = 'output [ { name: "told" data_type: TYPE_STRING dims: [ 1 ] } ]';
const INPUT = 'input [ { name: "text" data_type: TYPE_STRING dims: [ 1 ] } ]';

beforeAll(async () => {
  const models = repositoryOf({
    told: { fixture: 'parameters.mjs', config: `backend: "script" max_batch_size: 4 ${INPUT} ${OUTPUT}` },
    gathered: {
      fixture: 'parameters.mjs',
      config: `backend: "script" max_batch_size: 3 ${INPUT} ${OUTPUT}
        dynamic_batching { preferred_batch_size: [ 3 ] max_queue_delay_microseconds: 10000000 }`,
    },
    kept: {
      fixture: 'parameters.mjs',
      config: `backend: "script" max_batch_size: 4 ${INPUT} ${OUTPUT} response_cache { enable: true }`,
    },
    parts: {
      fixture: 'parameters.mjs',
      config: `backend: "script" max_batch_size: 4 ${INPUT} ${OUTPUT} model_transaction_policy { decoupled: true }`,
    },
  });
  writeEnsemble(models, 'both', `max_batch_size: 4 ${INPUT} ${OUTPUT}`, [
    { model: 'told', in: { text: 'text' }, out: { told: 'first' } },
    { model: 'told', in: { text: 'first' }, out: { told: 'told' } },
  ]);
  gateway = await RunningGateway.start(models, [
    '--http-header-forward-pattern=^x-own-|^priority$',
    '--grpc-header-forward-pattern=X-OWN-',
    '--cache-config=local,size=1000000',
    '--triton-compatible-errors',
  ]);
  grpc = new GrpcClient(gateway.grpcPort);
});

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

const body = (rows: number, parameters: object = {}) =>
  JSON.stringify({
    parameters,
    inputs: [{ name: 'text', datatype: 'BYTES', shape: [rows, 1], data: new Array(rows).fill('x') }],
  });

async function ask(model: string, rows: number, headers: Readonly<Record<string, string>>, parameters: object = {}) {
  const answer = await gateway.call(`/v2/models/${model}/infer`, { body: body(rows, parameters), headers });
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`);
  return (answer.json().outputs[0].data as string[]).map((text) => JSON.parse(text) as object);
}

const message = (model: string): Message => ({
  model_name: model,
  inputs: [{ name: 'text', datatype: 'BYTES', shape: [1, 1] }],
  raw_input_contents: [serialiseBytes([new TextEncoder().encode('x')])],
  parameters: { mine: { string_param: '7' } },
});

describe('headers that match the pattern', () => {
  it('are parameters of the request, beside those of its body', async () => {
    const headers = { 'X-Own-User': 'ann', 'x-other': 'no' };
    expect(await ask('told', 2, headers, { mine: 7 })).toEqual([
      { 'x-own-user': 'ann', mine: 7 },
      { 'x-own-user': 'ann', mine: 7 },
    ]);
    expect(await ask('told', 1, { 'x-other': 'no' })).toEqual([{}]);
  });

  it('go before a parameter of the body that has their name', async () => {
    expect(await ask('told', 1, { 'x-own-user': 'ann' }, { 'x-own-user': 'body' })).toEqual([{ 'x-own-user': 'ann' }]);
  });

  it('stay with the rows of their own request in a batch', async () => {
    const [two, one] = await Promise.all([
      ask('gathered', 2, { 'x-own-user': 'ann' }),
      ask('gathered', 1, {}, { mine: true }),
    ]);
    expect(two).toEqual([{ 'x-own-user': 'ann' }, { 'x-own-user': 'ann' }]);
    expect(one).toEqual([{ mine: true }]);
  });

  it('reach the steps of an ensemble', async () => {
    expect(await ask('both', 1, { 'x-own-user': 'ann' }, { mine: 7 })).toEqual([{ 'x-own-user': 'ann', mine: 7 }]);
  });

  it('keep answers of a cache apart', async () => {
    expect(await ask('kept', 1, { 'x-own-user': 'ann' })).toEqual([{ 'x-own-user': 'ann' }]);
    expect(await ask('kept', 1, { 'x-own-user': 'bob' })).toEqual([{ 'x-own-user': 'bob' }]);
    expect(await ask('kept', 1, { 'x-own-user': 'ann' })).toEqual([{ 'x-own-user': 'ann' }]);
    const { model_stats } = (await gateway.call('/v2/models/kept/stats')).json();
    expect(model_stats[0].inference_stats.cache_hit.count).toBe(1);
  });

  it('are refused where their name is reserved', async () => {
    const answer = await gateway.call('/v2/models/told/infer', { body: body(1), headers: { priority: '1' } });
    expect(answer.status).toBe(400);
    expect(answer.json().error).toBe("Header 'priority' is reserved for Triton usage and cannot be forwarded.");
    expect(await ask('told', 1, {})).toEqual([{}]);
  });

  it('come by gRPC, and in every request of a stream', async () => {
    const metadata = { 'x-own-user': 'ann', 'x-other': 'no' };
    const told = (answer: Message) => {
      const raw = (answer.raw_output_contents as Uint8Array[])[0] as Uint8Array;
      return JSON.parse(Buffer.from(raw.subarray(4)).toString());
    };
    const expected = { 'x-own-user': 'ann', mine: '7' };
    expect(told(await grpc.unary('ModelInfer', message('told'), { metadata }))).toEqual(expected);
    const stream = grpc.bidi('ModelStreamInfer', { metadata });
    for (const [i, model] of ['told', 'parts'].entries()) {
      stream.send(message(model));
      await stream.count(i + 1);
      expect(told(stream.messages[i]?.infer_response), model).toEqual(expected);
    }
    stream.half();
    await stream.ended;
  });

  it('come with the upgrade of a WebSocket', async () => {
    const url = `${gateway.url.replace('http', 'ws')}/v2/models/told/stream`;
    const socket = new WebSocket(url, { headers: { 'x-own-user': 'ann' } });
    await new Promise((resolve) => socket.once('open', resolve));
    const answer = new Promise<Buffer>((resolve) => socket.once('message', resolve));
    socket.send(body(1));
    const { outputs } = JSON.parse((await answer).toString());
    expect(JSON.parse(outputs[0].data[0])).toEqual({ 'x-own-user': 'ann' });
    socket.terminate();
  });
});
