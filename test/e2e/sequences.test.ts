import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { typedView } from '../../src/core/index.js';
import { writeEnsemble } from '../support/ensembles.js';
import { type Form, InferForms, jsonBody, type NeutralRequest, tensor } from '../support/infer-forms.js';
import { eventually, RunningGateway, repositoryOf } from '../support/running-gateway.js';

const FLAGS = (kind: string) => `control [ { kind: CONTROL_SEQUENCE_${kind} int32_false_true: [ 0, 1 ] } ]`;
const TENSORS = `input [ { name: "INPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]
  output [ { name: "OUTPUT" data_type: TYPE_INT32 dims: [ 1 ] } ]`;

/** Keeps its sums by row of its batches. */
const BY_ROW = `backend: "script" max_batch_size: 4 ${TENSORS}
  sequence_batching {
    direct { }
    max_sequence_idle_microseconds: 60000000
    control_input [ { name: "START" ${FLAGS('START')} }, { name: "READY" ${FLAGS('READY')} } ]
  }`;
/** Keeps its sums by id, in two instances. */
const BY_ID = `backend: "script" max_batch_size: 4 ${TENSORS} instance_group [ { count: 2 kind: KIND_CPU } ]
  sequence_batching {
    oldest { max_candidate_sequences: 3 }
    max_sequence_idle_microseconds: 60000000
    control_input [
      { name: "START" ${FLAGS('START')} }, { name: "END" ${FLAGS('END')} }, { name: "READY" ${FLAGS('READY')} },
      { name: "CORRID" control [ { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64 } ] }
    ]
  }`;
/** Its sums and marks are kept by the server; marks grow by each request, and clients are shown them. */
const KEPT = `max_batch_size: 4
  input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
  output [ { name: "sum" data_type: TYPE_FP32 dims: [ 1 ] }, { name: "marks_next" data_type: TYPE_FP32 dims: [ -1 ] } ]
  sequence_batching {
    oldest { max_candidate_sequences: 2 }
    max_sequence_idle_microseconds: 60000000
    control_input [ { name: "START" control [ { kind: CONTROL_SEQUENCE_START bool_false_true: [ false, true ] } ] } ]
    state [
      { input_name: "past" output_name: "next" data_type: TYPE_FP32 dims: [ 1 ] },
      { input_name: "marks" output_name: "marks_next" data_type: TYPE_FP32 dims: [ -1 ]
        initial_state { name: "first" data_type: TYPE_FP32 dims: [ 2 ] data_file: "marks" } }
    ]
  }`;
const BRIEF = BY_ROW.replace('60000000', '50000');

const VALUES = [11, 7, 5, 3, 2, 0, 1];
const SUMS = [11, 18, 23, 26, 28, 28, 29];

describe('sequences', () => {
  let gateway: RunningGateway;
  let forms: InferForms;
  let ids = 1000;

  beforeAll(async () => {
    const models = repositoryOf({
      by_row: { fixture: 'accumulator.mjs', config: BY_ROW },
      by_id: { fixture: 'accumulator.mjs', config: BY_ID },
      kept: { fixture: 'accumulator', config: KEPT, files: { 'initial_state/marks': '\0\0\0\0\0\0@@' } },
      brief: { fixture: 'accumulator.mjs', config: BRIEF },
      plain: 'identity_fixed',
    });
    writeEnsemble(models, 'whole', `max_batch_size: 4 ${TENSORS}`, [
      { model: 'by_id', in: { INPUT: 'INPUT' }, out: { OUTPUT: 'OUTPUT' } },
    ]);
    gateway = await RunningGateway.start(models, ['--model-control-mode', 'explicit', '--load-model', '*']);
    forms = new InferForms(gateway);
  });

  afterAll(async () => {
    await forms?.close();
    expect(await gateway?.stop()).toBe(0);
  });

  const requestOf = (model: string, value: number, parameters: NeutralRequest['parameters'] = {}): NeutralRequest => {
    const inputs =
      model === 'kept'
        ? [tensor('x', 'FP32', [1, 1], Float32Array.of(value))]
        : [tensor('INPUT', 'INT32', [1, 1], Int32Array.of(value))];
    return { model, inputs, parameters };
  };
  const place = (id: number | string, at: number, of = VALUES.length) => ({
    sequence_id: id,
    sequence_start: at === 0,
    sequence_end: at === of - 1,
  });
  const numbers = async (form: Form, request: NeutralRequest): Promise<number[][]> => {
    const answer = await form.send(request);
    if (!answer.ok) throw new Error(`${form.name}: ${answer.message}`);
    return answer.outputs.map(({ dataType, data }) => [...typedView(dataType, data)].map(Number));
  };

  it.each(['by_row', 'by_id', 'kept', 'whole'])(
    'of %s keep their sums over every form, two at a time',
    async (model) => {
      for (const form of forms.all) {
        const [one, two] = [ids++, ids++];
        for (const [at, value] of VALUES.entries()) {
          const [[sum] = []] = await numbers(form, requestOf(model, value, place(one, at)));
          const [[other] = []] = await numbers(form, requestOf(model, -value, place(two, at)));
          expect([sum, other === 0 ? 0 : other], `${form.name} ${at}`).toEqual([SUMS[at], -(SUMS[at] as number)]);
        }
      }
    },
  );

  it('may change form and connection from request to request, and have texts for ids', async () => {
    const marks = [0, 3];
    for (const [at, value] of VALUES.entries()) {
      const form = forms.all[at % forms.all.length] as Form;
      marks.push(value);
      const answer = await numbers(form, requestOf('kept', value, place('über 1', at)));
      // The state that is an output of the config too is shown; the other is not.
      expect(answer).toEqual([[SUMS[at]], marks]);
    }
  });

  it('come many at once, more than there are slots', async () => {
    const run = async (id: number) => {
      const sums: number[] = [];
      for (let at = 0; at < 5; at++) {
        const [[sum] = []] = await numbers(forms.all[0] as Form, requestOf('by_id', id, place(id, at, 5)));
        sums.push(sum as number);
      }
      return sums;
    };
    const many = Array.from({ length: 24 }, (_, i) => ids + i);
    ids += 24;
    for (const [i, sums] of (await Promise.all(many.map(run))).entries()) {
      const id = many[i] as number;
      expect(sums).toEqual([1, 2, 3, 4, 5].map((times) => times * id));
    }
    const { sequences } = (await gateway.call('/v2/models/by_id/scheduler')).json() as {
      sequences: Record<string, unknown>;
    };
    expect(sequences).toMatchObject({ strategy: 'oldest', slots: 6, slots_in_use: 0, backlog: 0, expired: 0 });
  });

  it('are refused in the words of Triton where a request is not in one, or did not begin it', async () => {
    for (const form of forms.all) {
      const without = await form.send(requestOf('by_row', 1));
      const nobody = await form.send(requestOf('by_row', 1, { sequence_id: 0, sequence_start: true }));
      for (const answer of [without, nobody])
        expect(!answer.ok && answer.message, form.name).toContain(
          "inference request to model 'by_row' must specify a non-zero or non-empty correlation ID",
        );
      const late = await form.send(requestOf('by_row', 1, { sequence_id: 77 }));
      expect(!late.ok && late.message, form.name).toContain(
        "inference request for sequence 77 to model 'by_row' must specify the START flag on the first request of the sequence",
      );
    }
  });

  it.each([
    [{ sequence_id: -1 }, '"sequence_id" must be an integer from 0 to 18446744073709551615 or a string, came "-1"'],
    [{ sequence_id: 1.5 }, '"sequence_id" must be an integer'],
    [{ sequence_id: true }, '"sequence_id" must be an integer'],
    [{ sequence_id: 'a'.repeat(129) }, 'has 129 characters, at most 128 are taken'],
    [{ sequence_id: 1, sequence_start: 'yes' }, '"sequence_start" must be true or false, came "yes"'],
    [{ sequence_id: 1, sequence_end: 1 }, '"sequence_end" must be true or false, came "1"'],
  ])('with %j are refused by name', async (parameters, message) => {
    const body = JSON.stringify({
      parameters,
      inputs: [{ name: 'INPUT', datatype: 'INT32', shape: [1, 1], data: [1] }],
    });
    const answer = await gateway.call('/v2/models/by_row/infer', { body });
    expect(answer.status).toBe(400);
    expect((answer.json() as { error: string }).error).toContain(message);
  });

  it('that are idle for too long are over', async () => {
    const form = forms.all[0] as Form;
    expect(await numbers(form, requestOf('brief', 1, { sequence_id: 5, sequence_start: true }))).toEqual([[1]]);
    await eventually(async () => !(await form.send(requestOf('brief', 1, { sequence_id: 9 }))).ok, 'refusals work');
    await eventually(async () => {
      const { sequences } = (await gateway.call('/v2/models/brief/scheduler')).json() as {
        sequences: { expired: number; slots_in_use: number };
      };
      return sequences.expired === 1 && sequences.slots_in_use === 0;
    }, 'the sequence expires');
    const answer = await form.send(requestOf('brief', 1, { sequence_id: 5 }));
    expect(!answer.ok && answer.message).toContain('must specify the START flag');
  });

  const socketOf = async (model: string): Promise<{ socket: WebSocket; answers: Record<string, unknown>[] }> => {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v2/models/${model}/stream`);
    const answers: Record<string, unknown>[] = [];
    socket.on('message', (data: Buffer) => answers.push(JSON.parse(data.toString())));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return { socket, answers };
  };
  const sequencesOf = async (model: string): Promise<Record<string, number>> => {
    const report = (await gateway.call(`/v2/models/${model}/scheduler`)).json() as {
      sequences: Record<string, number>;
    };
    return report.sequences;
  };

  it('over one WebSocket keep the order of the frames, small or so large that other threads decode them', async () => {
    const { socket, answers } = await socketOf('by_id');
    const [one, two] = [ids++, ids++];
    for (const [at, value] of VALUES.entries()) {
      for (const id of [one, two]) {
        const body = jsonBody({ ...requestOf('by_id', value, place(id, at)), id: `${id}` }).toString();
        // Blanks between tokens: every second frame is large.
        socket.send((at + id) % 2 === 0 ? body : body.replace('{', `{${' '.repeat(400_000)}`));
      }
    }
    await eventually(async () => answers.length === 2 * VALUES.length, 'every frame is answered');
    for (const id of [one, two]) {
      const sums = answers
        .filter((answer) => answer.id === `${id}`)
        .map((answer) => (answer.outputs as { data: number[] }[])[0]?.data[0]);
      expect(sums).toEqual(SUMS);
    }
    socket.close();
  });

  it('are over when the WebSocket closes that began them', async () => {
    const { socket, answers } = await socketOf('by_row');
    const before = await sequencesOf('by_row');
    const own = [ids++, ids++, ids++];
    for (const id of own) socket.send(`${jsonBody(requestOf('by_row', 1, { sequence_id: id, sequence_start: true }))}`);
    await eventually(async () => answers.length === 3, 'they begin');
    expect(await sequencesOf('by_row')).toMatchObject({ slots_in_use: 3 });
    socket.terminate();
    await eventually(async () => (await sequencesOf('by_row')).slots_in_use === 0, 'their slots are free');
    expect((await sequencesOf('by_row')).broken).toBe((before.broken as number) + 3);
    const late = await (forms.all[0] as Form).send(requestOf('by_row', 1, { sequence_id: own[0] as number }));
    expect(!late.ok && late.message).toContain('must specify the START flag');
  });

  it('are counted by model, where it serves them', async () => {
    const labels = { model: 'by_id', version: '1' };
    expect(await gateway.metric('penstock_sequence_slots', labels)).toBe(6);
    expect(await gateway.metric('penstock_sequences_over_total', { ...labels, outcome: 'ended' })).toBeGreaterThan(24);
    expect(await gateway.metric('penstock_sequence_slots', { model: 'plain', version: '1' })).toBeUndefined();
  });

  it('are refused clearly while their model is unloaded, and begin again when it is back', async () => {
    const form = forms.all[0] as Form;
    const [id, next] = [ids++, ids++];
    await numbers(form, requestOf('kept', 1, { sequence_id: id, sequence_start: true }));
    await gateway.post('/v2/repository/models/kept/unload');
    expect((await form.send(requestOf('kept', 1, { sequence_id: id }))).ok).toBe(false);
    await gateway.post('/v2/repository/models/kept/load');
    const late = await form.send(requestOf('kept', 1, { sequence_id: id }));
    expect(!late.ok && late.message).toContain('must specify the START flag');
    expect(await numbers(form, requestOf('kept', 2, place(next, 0, 1)))).toEqual([[2], [0, 3, 2]]);
  });

  it('mean nothing to a model without sequence_batching', async () => {
    const inputs = [tensor('INPUT0', 'FP32', [1, 4], Float32Array.of(1, 2, 3, 4))];
    for (const form of forms.all) {
      expect(
        await form.send({ model: 'plain', inputs, parameters: { sequence_id: 3, sequence_end: true } }),
      ).toMatchObject({
        ok: true,
      });
    }
  });

  it('are named among the extensions, and in the config of their model', async () => {
    const { extensions } = (await gateway.call('/v2')).json() as { extensions: string[] };
    expect(extensions).toEqual(expect.arrayContaining(['sequence', 'sequence(string_id)']));
    const config = (await gateway.call('/v2/models/kept/config')).json() as Record<string, unknown>;
    expect(config.sequence_batching).toMatchObject({ oldest: { max_candidate_sequences: 2 } });
    expect(config.dynamic_batching).toBeUndefined();
    const { inputs } = (await gateway.call('/v2/models/kept')).json() as { inputs: { name: string }[] };
    expect(inputs.map(({ name }) => name)).toEqual(['x']);
  });
});
