import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeEnsemble } from '../support/ensembles.js';
import { InferForms, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { OtlpReceiver } from '../support/otlp-receiver.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';
import { seriesOf } from '../support/scraped-series.js';

/** Some minutes of computing. */
const ENDLESS = 10_000_000n;
const INTS = (name: string) => `{ name: "${name}" data_type: TYPE_INT32 dims: [ 16 ] }`;

/** By what the caller of the ensemble says of itself. */
const PICKED = `default: 1
splits:
  halves: { arms: [{ to: 1, percent: 50 }, { to: 4, percent: 50 }], key: { from: request-id } }
rules:
  - { name: team, when: { of: { from: header, name: x-team }, equals: blue }, to: 2 }
  - { name: plan, when: { of: { from: parameter, name: plan }, equals: 7 }, to: 3 }
  - { name: tenant, when: { of: { from: tenant }, equals: beta }, to: 2 }
  - { name: several, when: { of: { from: request-id }, exists: true }, to: halves }
`;

let gateway: RunningGateway;
let forms: InferForms;
let collector: OtlpReceiver;

beforeAll(async () => {
  collector = await OtlpReceiver.start();
  const batching =
    'max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: 200000 preferred_batch_size: [ 8 ] }';
  const models = repositoryOf({
    sums: { fixture: 'add_two', config: 'max_batch_size: 8' },
    gathered: { fixture: 'add_two', config: batching },
    gone: { fixture: 'add_two', config: 'max_batch_size: 8' },
    slow: { fixture: 'slow', config: 'max_batch_size: 1 dynamic_batching {}' },
    faults: {
      fixture: 'faults.js',
      config: 'backend: "script" max_batch_size: 1',
    },
    routed: {
      fixture: { 1: 'add_two', 2: 'add_two' },
      config: 'max_batch_size: 8 version_policy { all {} }',
      files: { 'routes.yaml': 'default: 1\n' },
    },
    picked: {
      fixture: { 1: 'add_two', 2: 'add_two', 3: 'add_two', 4: 'add_two' },
      config: 'max_batch_size: 8 version_policy { all {} }',
      files: { 'routes.yaml': PICKED },
    },
    text: {
      fixture: 'echo.cjs',
      config: `backend: "script" max_batch_size: 4
        input [ { name: "text" data_type: TYPE_STRING dims: [ 1 ] } ]
        output [ { name: "text_out" data_type: TYPE_STRING dims: [ 1 ] } ]`,
    },
  });
  const io = `max_batch_size: 8 input [ ${INTS('a')}, ${INTS('b')} ] output [ ${INTS('difference')}, ${INTS('twice')} ]`;
  const twice = (first: string, second = first) => [
    { model: second, in: { INPUT0: 'sum', INPUT1: 'difference' }, out: { OUTPUT0: 'twice' } },
    { model: first, in: { INPUT0: 'a', INPUT1: 'b' }, out: { OUTPUT0: 'sum', OUTPUT1: 'difference' } },
  ];
  writeEnsemble(models, 'twice', io, twice('sums'));
  writeEnsemble(models, 'batched', io, twice('gathered'));
  writeEnsemble(models, 'fragile', io, twice('sums', 'gone'));
  writeEnsemble(models, 'canary', io, twice('routed'));
  writeEnsemble(models, 'picky', io, twice('picked'));
  writeEnsemble(
    models,
    'late',
    'max_batch_size: 1 input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] }, { name: "steps" data_type: TYPE_INT64 dims: [ 1 ] } ] output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]',
    [
      { model: 'slow', in: { x: 'x', steps: 'steps' }, out: { y: 'mid' } },
      { model: 'slow', in: { x: 'mid', steps: 'steps' }, out: { y: 'y' } },
    ],
  );
  writeEnsemble(
    models,
    'echoes',
    'max_batch_size: 4 input [ { name: "said" data_type: TYPE_STRING dims: [ 1 ] } ] output [ { name: "heard" data_type: TYPE_STRING dims: [ 1 ] } ]',
    [
      { model: 'text', in: { text: 'said' }, out: { text_out: 'once' } },
      { model: 'text', in: { text: 'once' }, out: { text_out: 'heard' } },
    ],
  );
  writeEnsemble(
    models,
    'failing',
    'max_batch_size: 1 input [ { name: "mode" data_type: TYPE_STRING dims: [ 1 ] } ] output [ { name: "out" data_type: TYPE_FP32 dims: [ 2 ] } ]',
    [{ model: 'faults', in: { mode: 'mode' }, out: { y: 'out' } }],
  );
  gateway = await RunningGateway.start(models, [
    '--model-control-mode=explicit',
    '--load-model=*',
    '--log-error=false',
    '--log-warning=false',
    '--tenant-weight=acme=1',
    '--tenant-weight=beta=1',
    '--tenant-source=header',
    '--tracing-endpoint',
    collector.httpUrl,
    '--tracing-percent=0',
  ]);
  forms = new InferForms(gateway);
}, 60_000);

afterAll(async () => {
  await forms?.close();
  expect(await gateway?.stop()).toBe(0);
  await collector?.close();
});

const a = Int32Array.from({ length: 16 }, (_, i) => 3 * i);
const b = Int32Array.from({ length: 16 }, (_, i) => i + 1);
const twice = (model: string, more: Partial<NeutralRequest> = {}): NeutralRequest => ({
  model,
  inputs: [tensor('a', 'INT32', [1, 16], a), tensor('b', 'INT32', [1, 16], b)],
  ...more,
});
const late = (steps: bigint): NeutralRequest => ({
  model: 'late',
  inputs: [tensor('x', 'FP32', [1, 1], Float32Array.of(7)), tensor('steps', 'INT64', [1, 1], BigInt64Array.of(steps))],
});
const infer = (request: NeutralRequest, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  gateway.call(`/v2/models/${request.model}/infer`, {
    body: jsonBody(request),
    headers,
    ...(signal === undefined ? {} : { signal }),
  });
const ints = (values: Int32Array) => Buffer.from(values.buffer).toString('hex');
const statistics = async (model: string) =>
  (await gateway.call(`/v2/models/${model}/stats`)).json().model_stats[0] as {
    inference_count: number;
    execution_count: number;
    inference_stats: Record<string, { count: number }>;
  };

/** Requests that each version of a model has answered. */
const stepsOf = async (model: string): Promise<Record<string, number>> => {
  const stats = (await gateway.call(`/v2/models/${model}/stats`)).json().model_stats;
  return Object.fromEntries(
    stats.map((one: { version: string; inference_count: number }) => [one.version, one.inference_count]),
  );
};
const grownBetween = (before: Record<string, number>, after: Record<string, number>) =>
  Object.fromEntries(
    Object.entries(after)
      .map(([version, count]) => [version, count - (before[version] ?? 0)] as const)
      .filter(([, grown]) => grown > 0),
  );

describe('an ensemble', () => {
  it('answers every form by what its steps compute, an output of a step before the last included', async () => {
    for (const form of forms.all) {
      const answer = await form.send(twice('twice', { id: '7' }));
      if (!answer.ok) throw new Error(`${form.name}: ${answer.message}`);
      expect(
        answer.outputs.map(({ name, shape, data }) => [name, shape, Buffer.from(data).toString('hex')]),
        form.name,
      ).toEqual([
        ['difference', [1, 16], ints(a.map((value, i) => value - (b[i] as number)))],
        ['twice', [1, 16], ints(a.map((value) => 2 * value))],
      ]);
      expect(answer.id).toBe('7');
    }
  });

  it('carries text, and gives the outputs that are asked for alone', async () => {
    const text = ['grüße', '', 'x'];
    const answer = await (forms.all[0] as InferForms['all'][0]).send({
      model: 'echoes',
      inputs: [tensor('said', 'BYTES', [3, 1], text)],
    });
    if (!answer.ok) throw new Error(answer.message);
    expect(Buffer.from(answer.outputs[0]?.data ?? [])).toEqual(Buffer.from(tensor('', 'BYTES', [3, 1], text).data));
    const one = await infer(twice('twice', { outputs: [{ name: 'twice' }] }));
    expect(one.json().outputs.map(({ name }: { name: string }) => name)).toEqual(['twice']);
  });

  it('is shown as Triton shows it', async () => {
    const metadata = (await gateway.call('/v2/models/twice')).json();
    expect(metadata).toMatchObject({ platform: 'ensemble', versions: ['1'] });
    const config = (await gateway.call('/v2/models/twice/config')).json();
    expect(config).toMatchObject({
      platform: 'ensemble',
      ensemble_scheduling: {
        step: [{ model_name: 'sums', model_version: -1, input_map: { INPUT0: 'sum', INPUT1: 'difference' } }, {}],
      },
    });
  });

  it('is counted once a request, its models once a step', async () => {
    const before = [await statistics('twice'), await statistics('sums')] as const;
    expect((await infer(twice('twice'))).status).toBe(200);
    const after = [await statistics('twice'), await statistics('sums')] as const;
    const grown = (i: 0 | 1) => [
      after[i].inference_count - before[i].inference_count,
      after[i].execution_count - before[i].execution_count,
    ];
    expect([grown(0), grown(1)]).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  it('has its steps gathered into batches by their models', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => infer(twice('batched'))));
    for (const answer of answers) expect(answer.status).toBe(200);
    const { inference_count: steps, execution_count: executions } = await statistics('gathered');
    expect(steps).toBe(16);
    expect(executions).toBeLessThan(8);
  });

  it('goes by the routes of its models', async () => {
    expect((await infer(twice('canary'))).status).toBe(200);
    const stats = (await gateway.call('/v2/models/routed/stats')).json().model_stats;
    expect(
      stats.map((one: { version: string; inference_count: number }) => [one.version, one.inference_count]),
    ).toEqual([
      ['1', 2],
      ['2', 0],
    ]);
  });

  it.each<[string, Partial<NeutralRequest>, Record<string, string>, string]>([
    ['a header', {}, { 'x-team': 'blue' }, '2'],
    ['a parameter', { parameters: { plan: 7 } }, {}, '3'],
    ['the tenant', {}, { 'x-penstock-tenant': 'beta' }, '2'],
    ['nothing', {}, {}, '1'],
  ])('has its steps routed by %s of its caller', async (_, more, headers, version) => {
    const before = await stepsOf('picked');
    expect((await infer(twice('picky', more), headers)).status).toBe(200);
    const after = await stepsOf('picked');
    expect(grownBetween(before, after)).toEqual({ [version]: 2 });
  });

  it('has the steps of one caller go the same way by the key of a split', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 16; i++) {
      const before = await stepsOf('picked');
      expect((await infer(twice('picky', { id: `caller ${i}` }))).status).toBe(200);
      const grown = grownBetween(before, await stepsOf('picked'));
      expect(Object.values(grown)).toEqual([2]);
      for (const version of Object.keys(grown)) seen.add(version);
    }
    expect([...seen].sort()).toEqual(['1', '4']);
  });

  it('books the time of its steps to whom it answers, once', async () => {
    const answer = await infer(twice('twice', { parameters: { penstock_explain: true } }), {
      'x-penstock-tenant': 'acme',
    });
    const ofAcme = seriesOf(await gateway.scrape()).filter(({ labels }) => labels.tenant === 'acme');
    const sum = (name: string) =>
      ofAcme.filter((series) => series.name === name).reduce((total, { value }) => total + value, 0);
    expect(sum('penstock_cost_requests_total')).toBe(2);
    expect(
      new Set(ofAcme.filter(({ name }) => name.startsWith('penstock_cost')).map(({ labels }) => labels.model)),
    ).toEqual(new Set(['sums']));
    expect(sum('penstock_cost_device_seconds_total') * 1e3).toBeCloseTo(
      answer.json().parameters.penstock_device_ms as number,
      6,
    );
  });

  it.each<[string, NeutralRequest, RegExp]>([
    ['an unknown input', { model: 'twice', inputs: [tensor('c', 'INT32', [1, 16], a)] }, /unexpected input 'c'/],
    [
      'a wrong shape',
      { model: 'twice', inputs: [tensor('a', 'INT32', [1, 15], a.subarray(1))] },
      /input 'a': expected shape \[-1,16\], got \[1,15\]/,
    ],
    [
      'too large a batch',
      {
        model: 'late',
        inputs: [
          tensor('x', 'FP32', [2, 1], Float32Array.of(1, 2)),
          tensor('steps', 'INT64', [2, 1], BigInt64Array.of(1n, 1n)),
        ],
      },
      /from 1 to 1/,
    ],
  ])('refuses %s as any model does', async (_, request, message) => {
    const answer = await infer(request);
    expect(answer.status).toBe(400);
    expect(answer.json().error).toMatch(message);
  });
});

describe('a step that does not end well', () => {
  it('fails the request, by its own reason and name', async () => {
    const answer = await infer({ model: 'failing', inputs: [tensor('mode', 'BYTES', [1, 1], ['throw'])] });
    expect(answer.status).toBe(500);
    expect(answer.json().error).toMatch(/in ensemble 'failing', step 0 \(model 'faults'\): .*cannot open/);
  });

  it('ends at the deadline of the request', async () => {
    const answer = await infer(late(ENDLESS), { 'x-request-timeout-ms': '200' });
    expect(answer.status).toBe(504);
    expect(answer.json().error).toMatch(/step 0 \(model 'slow'\)/);
    expect((await infer(late(1n))).json().outputs[0].data).toEqual([7]);
  });

  it('ends when the client goes', async () => {
    const leave = new AbortController();
    const gone = infer(late(ENDLESS), {}, leave.signal).catch(() => 'gone');
    await eventually(
      async () =>
        seriesOf(await gateway.scrape()).some(
          ({ name, labels, value }) =>
            name === 'nv_inference_pending_request_count' && labels.model === 'late' && value === 1,
        ),
      'the step runs',
    );
    leave.abort();
    expect(await gone).toBe('gone');
    expect((await infer(late(1n))).json().outputs[0].data).toEqual([7]);
  });
});

describe('an ensemble whose model goes', () => {
  const repository = (model: string, what: string, parameters = {}) =>
    gateway.call(`/v2/repository/models/${model}/${what}`, { method: 'POST', body: JSON.stringify({ parameters }) });
  const ready = async (model: string) => (await gateway.call(`/v2/models/${model}/ready`)).status === 200;

  it('is not ready until it is back, and says why', async () => {
    expect(await ready('fragile')).toBe(true);
    expect((await repository('gone', 'unload')).status).toBe(200);
    expect(await ready('fragile')).toBe(false);
    const refused = await infer(twice('fragile'));
    expect(refused.status).toBe(503);
    expect(refused.json().error).toMatch(/step 0 \(model 'gone'\): the model does not serve/);
    expect((await repository('gone', 'load')).status).toBe(200);
    expect(await ready('fragile')).toBe(true);
    expect((await infer(twice('fragile'))).status).toBe(200);
  });

  it('is not ready while its model takes something else', async () => {
    const config = { backend: 'onnxruntime', max_batch_size: 2 };
    expect((await repository('gone', 'load', { config: JSON.stringify(config) })).status).toBe(200);
    expect((await infer(twice('fragile'))).json().error).toMatch(
      /batch size of up to 8 \(max_batch_size\), the model of up to 2/,
    );
    expect((await repository('gone', 'load')).status).toBe(200);
    expect((await infer(twice('fragile'))).status).toBe(200);
  });

  it('goes with the models that it brought', async () => {
    for (const model of ['fragile', 'gone']) expect((await repository(model, 'unload')).status).toBe(200);
    expect((await repository('fragile', 'load')).status).toBe(200);
    expect([await ready('fragile'), await ready('gone')]).toEqual([true, true]);
  });
});

describe('the trace of an ensemble', () => {
  it('has a span for each step, with what that did', async () => {
    const traceId = 'e'.repeat(32);
    await infer(twice('twice'), { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    await eventually(() => collector.spans.some((span) => span.traceId === traceId), 'the trace has come');
    const server = collector.spans.find((span) => span.traceId === traceId && span.name === 'infer twice');
    if (server === undefined) throw new Error('no span of the request');
    const children = collector.childrenOf(server);
    expect(children.map(({ name }) => name)).toEqual([
      'decode',
      'admit',
      'step sums',
      'step sums',
      'scatter',
      'encode',
    ]);
    const [first, second] = children.filter(({ name }) => name === 'step sums');
    if (first === undefined || second === undefined) throw new Error('no spans of steps');
    expect(second.startNs).toBeGreaterThanOrEqual(first.endNs);
    expect(collector.childrenOf(first).map(({ name }) => name)).toEqual(['queue', 'compute']);
  });
});
