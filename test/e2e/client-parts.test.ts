import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type * as GrpcClient from '../../src/client/grpc/index.js';
import type * as Client from '../../src/client/index.js';
import { compiled } from '../support/compiled.js';
import { eventually, placeVersion, RunningGateway, streamingRepository } from '../support/running-gateway.js';

const { PenstockClient, textsOf } = await compiled<typeof Client>('client/index.js');
const { PenstockGrpcClient } = await compiled<typeof GrpcClient>('client/grpc/index.js');

/** Of the fixture `responses.mjs`, as many at once. */
const AT_ONCE = 4;
const RESPONSES = `backend: "script" model_transaction_policy { decoupled: true } max_batch_size: 0
  parameters { key: "penstock.requests_per_instance" value { string_value: "${AT_ONCE}" } }
  input [ { name: "mode" data_type: TYPE_STRING dims: [ 1 ] }, { name: "count" data_type: TYPE_INT32 dims: [ 1 ] optional: true } ]`;
const SUMS = `backend: "script" max_batch_size: 1
  input [ { name: "INPUT" data_type: TYPE_INT32 dims: [ 1 ] } ] output [ { name: "OUTPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
  sequence_batching {
    max_sequence_idle_microseconds: 60000000 direct { }
    control_input [
      { name: "START" control [ { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] },
      { name: "READY" control [ { kind: CONTROL_SEQUENCE_READY int32_false_true: [ 0, 1 ] } ] },
      { name: "END" control [ { kind: CONTROL_SEQUENCE_END int32_false_true: [ 0, 1 ] } ] } ] }`;

let gateway: RunningGateway;
let http: Client.PenstockClient;
let grpc: GrpcClient.PenstockGrpcClient;

beforeAll(async () => {
  const folder = streamingRepository();
  placeVersion(folder, 'responses', 1, 'responses.mjs');
  folder.write('responses/config.pbtxt', RESPONSES);
  placeVersion(folder, 'sums', 1, 'accumulator.mjs');
  folder.write('sums/config.pbtxt', SUMS);
  placeVersion(folder, 'one', 1, 'identity_fp32');
  gateway = await RunningGateway.start(folder);
  http = new PenstockClient(gateway.url);
  grpc = new PenstockGrpcClient(`127.0.0.1:${gateway.grpcPort}`);
});

afterAll(async () => {
  grpc?.close();
  expect(await gateway?.stop()).toBe(0);
});

const asked = (mode: string, count: number) => ({
  mode: { shape: [1], data: [mode] },
  count: { shape: [1], data: Int32Array.of(count) },
});
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

type Options = Pick<Client.InferOptions, 'timeoutMs' | 'signal' | 'id'>;
/** The numbers that the model `responses` gives, by one way of asking. */
type Numbers = (mode: string, count: number, options?: Options) => AsyncGenerator<number>;

async function* numbersOf(parts: Client.Parts<Client.InferAnswer>): AsyncGenerator<number> {
  for await (const { outputs, parameters, model } of parts) {
    expect([model, Object.keys(parameters).filter((name) => /^triton_/.test(name))]).toEqual(['responses', []]);
    yield outputs.y?.data[0] as number;
  }
}
async function* events(mode: string, count: number, options: Options = {}): AsyncGenerator<number> {
  for await (const { outputs, model } of http.generateStream('responses', { mode, count }, options)) {
    expect(model).toBe('responses');
    yield outputs.y as number;
  }
}

const WAYS: readonly (readonly [string, Numbers])[] = [
  ['a WebSocket', (mode, count, options) => numbersOf(http.stream('responses', asked(mode, count), options))],
  ['gRPC', (mode, count, options) => numbersOf(grpc.stream('responses', asked(mode, count), options))],
  ['server-sent events', events],
];

/** All parts until the end, or until the failure, which comes last. */
async function all(parts: AsyncIterable<number>): Promise<(number | Client.PenstockError)[]> {
  const got: (number | Client.PenstockError)[] = [];
  try {
    for await (const part of parts) got.push(part);
  } catch (thrown) {
    got.push(thrown as Client.PenstockError);
  }
  return got;
}

type Outcome = 'success' | 'cancel';

/** Responses of the model `responses` that came to such an end. */
async function counted(outcome: Outcome): Promise<number> {
  const [stats] = (await gateway.call('/v2/models/responses/stats')).json().model_stats;
  const rows = Object.values((stats.response_stats ?? {}) as Record<string, Record<Outcome, { count: number }>>);
  return rows.reduce((sum, row) => sum + row[outcome].count, 0);
}
const made = () => counted('success');
const cancels = () => counted('cancel');

describe.each(WAYS)('an answer in parts over %s', (name, numbers) => {
  it.each([['ok'], ['last'], ['slow'], ['sync'], ['plain'], ['nothing']])('has all parts of %s', async (mode) => {
    const wanted = { last: upTo(6), plain: [5], nothing: [] }[mode] ?? upTo(5);
    expect(await all(numbers(mode, 5))).toEqual(wanted);
  });

  it('comes to its reader as it is made', async () => {
    const parts = numbers('slow', 1_000_000);
    expect([await parts.next(), await parts.next()]).toEqual([
      { done: false, value: 0 },
      { done: false, value: 1 },
    ]);
    await parts.return(undefined);
  });

  it('is many at once, each in its order', async () => {
    const counts = upTo(12);
    const got = await Promise.all(counts.map((count) => all(numbers(count % 2 === 0 ? 'slow' : 'ok', count))));
    expect(got).toEqual(counts.map(upTo));
  });

  it('fails after the parts that came, with what went wrong', async () => {
    const got = await all(numbers('throw', 3));
    expect(got.slice(0, 3)).toEqual(upTo(3));
    expect(got.slice(3)).toEqual([
      expect.objectContaining({ message: expect.stringMatching(/it broke after its last response/) }),
    ]);
    const { status, reason } = got[3] as Client.PenstockError;
    // An error after the first event is text alone.
    expect([status, reason]).toEqual(name === 'server-sent events' ? [0, ''] : [500, 'BACKEND_FAILED']);
  });

  it('is refused with status and reason where it cannot begin', async () => {
    const [error] = await all(
      name === 'server-sent events'
        ? events('ok', 1.5)
        : (async function* () {
            const client = name === 'gRPC' ? grpc : http;
            for await (const _ of client.stream('responses', {
              mode: asked('ok', 1).mode,
              other: asked('ok', 1).count,
            }))
              yield 0;
          })(),
    );
    expect(error).toMatchObject({ status: 400 });
    expect((error as Client.PenstockError).reason).not.toBe('');
  });

  it('is cancelled on the server when the loop is left', async () => {
    const before = await cancels();
    for (let i = 1; i <= AT_ONCE; i++) {
      for await (const number of numbers('slow', 1_000_000)) if (number === 2) break;
    }
    await eventually(async () => (await cancels()) === before + AT_ONCE, 'the server counts the cancels');
    // All places are free again.
    expect(await Promise.all(upTo(AT_ONCE).map(() => all(numbers('ok', 3))))).toEqual(upTo(AT_ONCE).map(() => upTo(3)));
  });

  it('is cancelled on the server when its signal aborts, also while nobody asks for a part', async () => {
    const before = await cancels();
    const abort = new AbortController();
    const loop = all(numbers('slow', 1_000_000, { signal: abort.signal }));
    const idle = numbers('slow', 1_000_000, { signal: abort.signal });
    expect((await idle.next()).value).toBe(0);
    abort.abort('enough');
    expect((await loop).at(-1)).toMatchObject({ reason: 'ABORTED', cause: 'enough' });
    await eventually(async () => (await cancels()) === before + 2, 'the server counts the cancels');
    await expect(idle.next()).rejects.toMatchObject({ reason: 'ABORTED' });
    expect(await all(numbers('ok', 1, { signal: abort.signal }))).toMatchObject([{ reason: 'ABORTED' }]);
  });

  it('has a deadline for all its parts, which ends it on the server too', async () => {
    const every = await Promise.all(upTo(AT_ONCE).map(() => all(numbers('slow', 1_000_000, { timeoutMs: 400 }))));
    for (const got of every) {
      const { reason } = got.pop() as Client.PenstockError;
      expect(got).toEqual(upTo(got.length));
      // Either side may see it first; an error after the first event has no reason.
      expect(['TIMEOUT', 'DEADLINE_EXCEEDED', '']).toContain(reason);
    }
    // All places are free again.
    expect(await Promise.all(upTo(AT_ONCE).map(() => all(numbers('ok', 3))))).toEqual(upTo(AT_ONCE).map(() => upTo(3)));
  });

  it('waits for a loop that is slow: neither side keeps what is not read', async () => {
    // 300 KB each: 300 MB together.
    const before = await made();
    const parts = numbers('large', 1000);
    expect((await parts.next()).value).toBe(0);
    let last = -1;
    await eventually(async () => {
      const [was, now] = [last, await made()];
      last = now;
      return was === now;
    }, 'the model stands');
    expect(last - before).toBeLessThan(150);
    // Others are answered meanwhile.
    expect(await all(numbers('slow', 5))).toEqual(upTo(5));
    await parts.return(undefined);
    const whole = numbers('large', 40);
    expect((await whole.next()).value).toBe(0);
    expect(await all(numbers('slow', 20))).toEqual(upTo(20));
    expect(await all(whole)).toEqual(upTo(40).slice(1));
  });

  it('says that nobody is there', async () => {
    const nobody = name === 'gRPC' ? new PenstockGrpcClient('127.0.0.1:9') : new PenstockClient('http://127.0.0.1:9');
    const parts =
      name === 'server-sent events'
        ? (nobody as Client.PenstockClient).generateStream('m', {}, { timeoutMs: 5000 })
        : nobody.stream('m', {}, { timeoutMs: 5000 });
    await expect(parts.next()).rejects.toMatchObject({ status: 0, reason: 'UNREACHABLE' });
    if (nobody instanceof PenstockGrpcClient) nobody.close();
  });
});

describe.each([
  ['HTTP', () => http],
  ['gRPC', () => grpc],
] as const)('the stream of a client over %s', (_name, of) => {
  it('has one part where the model gives one answer', async () => {
    const INPUT0 = { shape: [1, 2], data: Float32Array.of(1, 2) };
    const parts = [];
    for await (const part of of().stream('one', { INPUT0 }, { id: 'mine', outputs: ['OUTPUT0'] })) parts.push(part);
    expect(parts.map(({ id, outputs }) => [id, outputs.OUTPUT0?.data])).toEqual([['mine', INPUT0.data]]);
  });

  it('gives outputs as `infer` does', async () => {
    const parts = of().stream('responses', asked('ok', 2));
    const texts = [];
    for await (const { outputs } of parts) texts.push(textsOf(outputs.text as Client.OutputTensor<'BYTES'>));
    expect(texts).toEqual([
      ['number 0', 'é'],
      ['number 1', 'é'],
    ]);
  });

  it('refuses what cannot be sent', async () => {
    const wrong = of().stream('one', { INPUT0: { shape: [3], data: new Float32Array(2) } });
    await expect(wrong.next()).rejects.toMatchObject({ reason: 'BAD_REQUEST' });
  });

  it('is not what open streams are for: they say so', async () => {
    const [stream, infer] =
      of() === http
        ? (() => {
            const one = http.openStream('responses', { maxInFlight: 1 });
            return [one, () => one.infer(asked('ok', 3))] as const;
          })()
        : (() => {
            const one = grpc.openStream({ maxInFlight: 1 });
            return [one, () => one.infer('responses', asked('ok', 3))] as const;
          })();
    for (let i = 0; i < 2; i++)
      await expect(infer()).rejects.toMatchObject({
        reason: 'BAD_ANSWER',
        message: expect.stringMatching(/stream\(\)/),
      });
    await stream.close();
  });
});

describe('generate', () => {
  it('gives the one answer, and its parts as plain values', async () => {
    const inputs = { text_input: 'The ', max_tokens: 8, seed: 5n, temperature: 0.5 };
    const words: unknown[] = [];
    for await (const { outputs } of http.generateStream('text_generator', { ...inputs, stream: true }))
      words.push(outputs.text_output);
    expect(words).toHaveLength(8);
    const whole = await http.generate('text_generator', inputs, { id: 'g', parameters: { note: 'x' }, priority: 1 });
    expect(whole).toEqual({
      model: 'text_generator',
      version: '1',
      id: 'g',
      outputs: { text_output: words.join('') },
    });
    const several = http.generate('text_generator', { ...inputs, stream: true });
    await expect(several).rejects.toMatchObject({ status: 500, message: expect.stringMatching(/exactly 1 response/) });
    await expect(http.generate('nobody', {})).rejects.toMatchObject({ status: 404, reason: 'MODEL_NOT_FOUND' });
  });

  it('takes lists and typed arrays', async () => {
    const got: unknown[] = [];
    const inputs = { IN: Int32Array.of(3, 1), DELAY: [0, 0] };
    for await (const { outputs } of http.generateStream('repeat_int32', inputs)) got.push(outputs);
    expect(got).toEqual([
      { OUT: 3, IDX: 0 },
      { OUT: 1, IDX: 1 },
    ]);
  });
});

describe('sequences of the client', () => {
  const input = (value: number) => ({ INPUT: { shape: [1, 1], data: Int32Array.of(value) } });
  const VALUES = [5, 7, 1, 4];

  it('keep their sums over every way, two at a time', async () => {
    const socket = http.openStream('sums');
    const call = grpc.openStream();
    const ways: readonly ((nth: number) => Client.Sequence)[] = [
      () => http.sequence('sums'),
      (nth) => grpc.sequence('sums', { id: 2n ** 60n + BigInt(nth) }),
      () => socket.sequence(),
      () => call.sequence('sums'),
    ];
    for (const begin of ways) {
      // The model has one slot: the second waits until the first is over.
      const sequences = [begin(0), begin(1)];
      const sums = sequences.map(async (sequence, nth) => {
        const last = VALUES.length - 1;
        const answers = VALUES.map((value, at) => sequence.infer(input(value * (nth + 1)), { end: at === last }));
        return (await Promise.all(answers)).map(({ outputs }) => outputs.OUTPUT?.data[0]);
      });
      expect(await Promise.all(sums)).toEqual([
        [5, 12, 13, 17],
        [10, 24, 26, 34],
      ]);
      await expect(sequences[0]?.infer(input(1))).rejects.toMatchObject({ reason: 'BAD_REQUEST' });
    }
    await Promise.all([socket.close(), call.close()]);
  });

  it('begin with the request that is taken, where the first is refused', async () => {
    for (const sequence of [http.sequence('sums'), grpc.sequence('sums')]) {
      const wrong = sequence.infer({ INPUT: { shape: [1, 2], data: new Int32Array(2) } });
      const right = sequence.infer(input(3));
      await expect(wrong).rejects.toMatchObject({ status: 400 });
      expect((await right).outputs.OUTPUT?.data[0]).toBe(3);
      expect((await sequence.infer(input(4), { end: true })).outputs.OUTPUT?.data[0]).toBe(7);
    }
  });
});
