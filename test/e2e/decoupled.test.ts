import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { serialiseBytes } from '../../src/core/index.js';
import { GrpcClient, type Message, methodOf } from '../support/grpc-server.js';
import {
  eventually,
  placeVersion,
  RunningGateway,
  repositoryOf,
  streamingRepository,
} from '../support/running-gateway.js';

const STREAM = 'ModelStreamInfer';
const EMPTY_END = { triton_enable_empty_final_response: { bool_param: true } };

/** Of the fixture `responses.mjs`. */
const CONFIG = `backend: "script" model_transaction_policy { decoupled: true } max_batch_size: 0
  input [ { name: "mode" data_type: TYPE_STRING dims: [ 1 ] }, { name: "count" data_type: TYPE_INT32 dims: [ 1 ] optional: true } ]`;

/** A request to the fixture `responses.mjs`. */
function ask(id: string, mode: string, count: number, parameters: object = EMPTY_END): Message {
  return {
    model_name: 'responses',
    id,
    parameters,
    inputs: [
      { name: 'mode', datatype: 'BYTES', shape: [1] },
      { name: 'count', datatype: 'INT32', shape: [1] },
    ],
    raw_input_contents: [
      Buffer.from(serialiseBytes([new TextEncoder().encode(mode)])),
      Buffer.from(Int32Array.of(count).buffer),
    ],
  };
}

const numbers = (messages: readonly Message[], id: string) =>
  messages
    .filter(({ infer_response }) => infer_response?.id === id && infer_response.raw_output_contents.length > 0)
    .map(({ infer_response }) => (infer_response.raw_output_contents[0] as Buffer).readInt32LE(0));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('decoupled models', () => {
  let gateway: RunningGateway;
  let grpc: GrpcClient;

  beforeAll(async () => {
    const atOnce = 'parameters { key: "penstock.requests_per_instance" value { string_value: "8" } }';
    const folder = streamingRepository();
    placeVersion(folder, 'responses', 1, 'responses.mjs');
    folder.write('responses/config.pbtxt', `${CONFIG} ${atOnce}`);
    placeVersion(folder, 'onnx', 1, 'identity_fixed');
    folder.write('onnx/config.pbtxt', 'model_transaction_policy { decoupled: true } max_batch_size: 0');
    gateway = await RunningGateway.start(folder);
    grpc = new GrpcClient(gateway.grpcPort);
  });

  afterAll(async () => {
    grpc?.close();
    expect(await gateway?.stop()).toBe(0);
  });

  it('answer many requests of a gRPC stream at once, each in its order and with its end', async () => {
    const ids = upTo(20).map(String);
    const stream = grpc
      .bidi(STREAM)
      .send(...ids.map((id) => ask(id, Number(id) % 2 === 0 ? 'slow' : 'ok', Number(id))))
      .half();
    expect(await stream.ended).toBeUndefined();
    for (const id of ids) {
      expect(numbers(stream.messages, id)).toEqual(upTo(Number(id)));
      const own = stream.messages.filter(({ infer_response }) => infer_response.id === id);
      const ends = own.map(({ infer_response }) => infer_response.parameters.triton_final_response.bool_param);
      expect(ends).toEqual([...new Array(Number(id)).fill(false), true]);
    }
  });

  it("are Triton's example repeat_int32 too", async () => {
    const words = (array: Int32Array | Uint32Array) => Buffer.from(array.buffer);
    const stream = grpc
      .bidi(STREAM)
      .send({
        model_name: 'repeat_int32',
        id: 'r',
        inputs: [
          { name: 'IN', datatype: 'INT32', shape: [4] },
          { name: 'DELAY', datatype: 'UINT32', shape: [4] },
        ],
        raw_input_contents: [words(Int32Array.of(4, 2, 0, -1)), words(Uint32Array.of(1, 2, 3, 4))],
      })
      .half();
    expect(await stream.ended).toBeUndefined();
    const read = (output: number) =>
      stream.messages.map(({ infer_response }) => infer_response.raw_output_contents[output].readInt32LE(0));
    expect([read(0), read(1)]).toEqual([
      [4, 2, 0, -1],
      [0, 1, 2, 3],
    ]);
  });

  it('refuse calls that take one response, and name those that take more', async () => {
    const names = /decoupled transaction policy.*ModelStreamInfer.*generate_stream/;
    const { model_name: _, ...message } = ask('a', 'ok', 1);
    await expect(grpc.unary('ModelInfer', { ...message, model_name: 'responses' })).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      details: expect.stringMatching(names),
    });
    const inputs = [{ name: 'mode', datatype: 'BYTES', shape: [1], data: ['ok'] }];
    const answer = await gateway.post('/v2/models/responses/infer', { inputs });
    expect([answer.status, answer.json().error]).toEqual([501, expect.stringMatching(names)]);
  });

  it('answer over WebSockets with frames of one id, the last one marked', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.httpPort}/v2/models/responses/stream`);
    await new Promise((resolve) => socket.once('open', resolve));
    const frames: Message[] = [];
    const ended = new Promise<void>((resolve) =>
      socket.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString()) as Message;
        frames.push(frame);
        if (frames.filter(({ parameters }) => parameters?.triton_final_response).length === 2) resolve();
      }),
    );
    const inputs = (mode: string) => [
      { name: 'mode', datatype: 'BYTES', shape: [1], data: [mode] },
      { name: 'count', datatype: 'INT32', shape: [1], data: [3] },
    ];
    for (const mode of ['ok', 'last']) socket.send(JSON.stringify({ id: mode, inputs: inputs(mode) }));
    await ended;
    const of = (wanted: string) =>
      frames
        .filter(({ id }) => id === wanted)
        .map(({ outputs, parameters }) => [outputs[0]?.data[0], parameters.triton_final_response]);
    expect(of('ok')).toEqual([
      [0, false],
      [1, false],
      [2, false],
      [undefined, true],
    ]);
    expect(of('last')).toEqual([
      [0, false],
      [1, false],
      [2, false],
      [3, true],
    ]);
    socket.close();
  });

  it('say an error after their responses, and end the stream with it where they are told to', async () => {
    const stream = grpc
      .bidi(STREAM)
      .send(ask('t', 'throw', 2), ask('u', 'ok', 1))
      .half();
    expect(await stream.ended).toBeUndefined();
    expect(numbers(stream.messages, 't')).toEqual([0, 1]);
    const [error] = stream.messages.filter(({ error_message }) => error_message !== '');
    expect(error?.error_message).toMatch(/it broke after its last response, see <path>/);
    const strict = grpc.bidi(STREAM, { metadata: { triton_grpc_error: 'true' } }).send(ask('t', 'throw', 2));
    expect(await strict.ended).toMatchObject({ code: status.INTERNAL });
    expect(numbers(strict.messages, 't')).toEqual([0, 1]);
  });

  it('are ended where they stand when their client goes away: others take their place', async () => {
    // As many as the model answers at once.
    const stream = grpc.bidi(STREAM).send(...upTo(8).map((id) => ask(String(id), 'slow', 1_000_000)));
    await stream.count(30);
    stream.call.cancel();
    await stream.ended;
    const after = grpc
      .bidi(STREAM)
      .send(...upTo(8).map((id) => ask(String(id), 'ok', 3)))
      .half();
    expect(await after.ended).toBeUndefined();
    for (const id of upTo(8)) expect(numbers(after.messages, String(id))).toEqual(upTo(3));
    const [counted] = (await gateway.call('/v2/models/responses/stats')).json().model_stats as Message[];
    const cancels = Object.values(counted?.response_stats as Record<string, Message>).map(({ cancel }) => cancel.count);
    expect(cancels.reduce((sum, count) => sum + count, 0)).toBe(8);
  });

  it('wait for clients that do not read, within bounded memory, and lose nothing', async () => {
    // 300 KB each: 120 MB together.
    const count = 400;
    const stream = grpc.bidi(STREAM).send(ask('w', 'large', 1));
    await stream.count(2);
    const beforeBytes = gateway.rssBytes();
    const slow = grpc
      .bidi(STREAM)
      .send(ask('big', 'large', count))
      .half();
    await slow.count(1);
    slow.call.pause();
    // Others are answered meanwhile, by the same worker.
    for (let i = 0; i < 20; i++) {
      const other = grpc
        .bidi(STREAM)
        .send(ask('o', 'slow', 5))
        .half();
      expect(await other.ended).toBeUndefined();
      expect(numbers(other.messages, 'o')).toEqual(upTo(5));
    }
    expect(gateway.rssBytes() - beforeBytes).toBeLessThan(80 * 1024 * 1024);
    slow.call.resume();
    expect(await slow.ended).toBeUndefined();
    expect(numbers(slow.messages, 'big')).toEqual(upTo(count));
    stream.half();
    await stream.ended;
  });

  it('come back where their worker ends, which loses what it was answering', async () => {
    const stream = grpc
      .bidi(STREAM)
      .send(ask('x', 'exit', 2))
      .half();
    expect(await stream.ended).toBeUndefined();
    expect(numbers(stream.messages, 'x')).toEqual([0, 1]);
    expect(stream.messages.at(-1)?.error_message).toMatch(/its worker ended/);
    await eventually(async () => {
      const again = grpc
        .bidi(STREAM)
        .send(ask('y', 'ok', 2))
        .half();
      return (await again.ended) === undefined && numbers(again.messages, 'y').length === 2;
    }, 'the model answers again');
  });

  it('answer generate_stream by events while they go on, and generate where they give one response', async () => {
    const body = { text_input: 'The ', parameters: { max_tokens: 20, seed: 5, stream: true } };
    const events = async () => {
      const answer = await gateway.post('/v2/models/text_generator/generate_stream', body);
      expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8']);
      return (answer.body.toString().match(/^data: .*$/gm) ?? []).map((line) => JSON.parse(line.slice(6)) as Message);
    };
    const words = await events();
    expect(words.length).toBe(20);
    // By its seed.
    expect(await events()).toEqual(words);
    const whole = { ...body, parameters: { ...body.parameters, stream: false } };
    const answer = await gateway.post('/v2/models/text_generator/generate', whole);
    expect(answer.json()).toEqual({
      model_name: 'text_generator',
      model_version: '1',
      text_output: words.map(({ text_output }) => text_output).join(''),
    });
    const several = await gateway.post('/v2/models/text_generator/generate', body);
    expect([several.status, several.json().error]).toEqual([500, expect.stringMatching(/exactly 1 response/)]);
    const missing = await gateway.post('/v2/models/text_generator/generate_stream', {});
    expect([missing.status, missing.json().error]).toEqual([400, expect.stringMatching(/missing: 'text_input'/)]);
    const absent = await gateway.post('/v2/models/nobody/generate', body);
    expect(absent.status).toBe(404);
  });

  it('stop when a client of generate_stream goes away: others take their place', async () => {
    const body = JSON.stringify({ mode: 'slow', count: 1_000_000 });
    const aborts = upTo(8).map(() => new AbortController());
    const url = `${gateway.url}/v2/models/responses/generate_stream`;
    const answers = await Promise.all(aborts.map(({ signal }) => fetch(url, { method: 'POST', body, signal })));
    for (const { body: events } of answers) await events?.getReader().read();
    for (const abort of aborts) abort.abort();
    const after = await gateway.post('/v2/models/responses/generate_stream', { mode: 'ok', count: 2 });
    expect(after.body.toString().match(/^data: /gm)).toHaveLength(2);
  });

  it('are counted by response, and by the time to the first', async () => {
    const first = { model: 'repeat_int32', version: '1' };
    expect(await gateway.metric('nv_inference_first_response_histogram_ms_count', first)).toBe(1);
    expect(await gateway.metric('penstock_first_response_seconds_count', first)).toBe(1);
    const { model_stats } = (await gateway.call('/v2/models/repeat_int32/stats')).json();
    const { response_stats, inference_count, execution_count } = model_stats[0];
    expect([inference_count, execution_count, Object.keys(response_stats)]).toEqual([1, 1, ['0', '1', '2', '3', '4']]);
    expect([response_stats[3].success.count, response_stats[4].empty_response.count]).toEqual([1, 1]);
    const statistics = await grpc.unary('ModelStatistics', { name: 'repeat_int32' });
    expect(statistics.model_stats[0].response_stats['0'].success.count).toBe(1);
  });

  it('say so in their configuration, as Triton does', async () => {
    const shown = (await gateway.call('/v2/models/repeat_int32/config')).json();
    expect(shown.model_transaction_policy).toEqual({ decoupled: true });
    const { config } = await grpc.unary('ModelConfig', { name: 'repeat_int32' });
    expect(config.model_transaction_policy).toEqual({ decoupled: true });
  });

  it('are refused at load where the backend cannot give several responses', async () => {
    const index = (await gateway.post('/v2/repository/index')).json() as Message[];
    expect(index.find(({ name }) => name === 'onnx')).toMatchObject({
      state: 'UNAVAILABLE',
      reason: expect.stringMatching(/decoupled: models of the backend 'script' can give several responses/),
    });
  });
});

it("a gateway may answer streams in MLServer's form", async () => {
  const folder = repositoryOf({ responses: { fixture: 'responses.mjs', config: CONFIG } });
  const gateway = await RunningGateway.start(folder, ['--grpc-stream-form', 'mlserver']);
  const grpc = new GrpcClient(gateway.grpcPort);
  const { path, requestSerialize } = methodOf('inference.GRPCInferenceService', STREAM);
  const { responseDeserialize } = methodOf('inference.GRPCInferenceService', 'ModelInfer');
  const call = grpc.channel.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const messages: Message[] = [];
  call.on('data', (message: Message) => messages.push(message));
  const ended = new Promise((resolve) => call.on('end', resolve));
  call.write(ask('m', 'ok', 3, {}));
  call.end();
  await ended;
  expect(messages.map(({ id, raw_output_contents }) => [id, raw_output_contents[0].readInt32LE(0)])).toEqual([
    ['m', 0],
    ['m', 1],
    ['m', 2],
  ]);
  grpc.close();
  expect(await gateway.stop()).toBe(0);
});
