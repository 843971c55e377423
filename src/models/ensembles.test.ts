import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeBackend } from '../../test/support/fake-backend.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { FakeVersionHost } from '../../test/support/fake-version-host.js';
import { ModelFolder } from '../../test/support/model-folder.js';
import { SilentLog } from '../../test/support/silent-log.js';
import type { LoadParameters } from '../core/index.js';
import { ModelRepository, type ModelRepositoryOptions } from './index.js';

const PLAIN: LoadParameters = { config: undefined, files: new Map() };

let folder: ModelFolder;
let host: FakeVersionHost;
let backend: FakeBackend;

beforeEach(() => {
  folder = new ModelFolder();
  host = new FakeVersionHost();
  backend = new FakeBackend();
});

afterEach(() => {
  folder.remove();
});

async function started(changes: Partial<ModelRepositoryOptions> = {}): Promise<ModelRepository> {
  const models = new ModelRepository({
    folders: [folder.path],
    controlMode: 'explicit',
    loadModels: [],
    backends: [backend],
    host,
    clock: new FakeClock(),
    log: new SilentLog(),
    ...changes,
  });
  await models.start();
  return models;
}

const io =
  'input [ { name: "x" data_type: TYPE_FP32 dims: [ 3 ] } ] output [ { name: "y" data_type: TYPE_FP32 dims: [ 2 ] } ]';

/** An ensemble of one step a member, each over the input. */
function ensemble(name: string, members: readonly string[], more = ''): void {
  const steps = members.map(
    (member, i) =>
      `step { model_name: "${member}" model_version: -1 input_map { key: "x" value: "x" } output_map { key: "y" value: "${i === 0 ? 'y' : `y${i}`}" } }`,
  );
  folder.write(`${name}/1/.keep`, '');
  folder.write(
    `${name}/config.pbtxt`,
    `platform: "ensemble" max_batch_size: 4 ${io} ensemble_scheduling { ${steps.join(' ')} } ${more}`,
  );
}

const states = (models: ModelRepository) => models.index(false).map(({ name, state }) => `${name} ${state}`);
const reason = (models: ModelRepository, model: string) =>
  models.index(false).find(({ name }) => name === model)?.reason ?? '';

describe('an ensemble', () => {
  it('is started with its steps, and without anything opened', async () => {
    folder.model('a').model('b');
    ensemble('e', ['a', 'b']);
    const models = await started({ controlMode: 'none' });
    expect(models.spec('e', undefined)).toMatchObject({ platform: 'ensemble', backend: '', maxBatchSize: 4 });
    const hosted = host.hosted.find(({ spec }) => spec.id.model === 'e');
    expect(hosted?.plan.instances).toEqual([]);
    expect(hosted?.plan.steps?.map(({ model, version, inputs }) => [model, version, [...inputs]])).toEqual([
      ['a', undefined, [['x', 'x']]],
      ['b', undefined, [['x', 'x']]],
    ]);
    expect(backend.requests.map(({ id }) => id.model).sort()).toEqual(['a', 'b']);
    expect(models.config('e', undefined)).toMatchObject({
      platform: 'ensemble',
      instance_group: [],
      ensemble_scheduling: { step: [{ model_name: 'a', model_version: -1, input_map: { x: 'x' } }, {}] },
    });
  });

  it('starts after its models, whatever their names and how long they take', async () => {
    folder.model('z');
    ensemble('a', ['z']);
    ensemble('b', ['a']);
    backend.onOpen = () => new Promise((resolve) => setImmediate(resolve));
    await started({ controlMode: 'none' });
    expect(host.events.filter((event) => event.startsWith('publish'))).toEqual([
      'publish z [1]',
      'publish a [1]',
      'publish b [1]',
    ]);
  });

  it('brings its models along where they are loaded on request', async () => {
    folder.model('a').model('b');
    ensemble('inner', ['b']);
    ensemble('e', ['a', 'inner']);
    const models = await started();
    await models.load('e', PLAIN);
    expect(states(models)).toEqual(['a READY', 'b READY', 'e READY', 'inner READY']);
  });

  it.each<[string, () => void, RegExp]>([
    [
      'a model that is not there',
      () => ensemble('e', ['a', 'ghost']),
      /step 1 \(model 'ghost'\): .* no repository has it/,
    ],
    [
      'a model that does not load',
      () => {
        folder.write('bad/1/model.onnx', 'nothing');
        ensemble('e', ['bad']);
      },
      /step 0 \(model 'bad'\): the model does not serve: failed to load 'bad'/,
    ],
    [
      'models that are over each other',
      () => {
        ensemble('f', ['e']);
        ensemble('e', ['a', 'f']);
      },
      /these models are over each other: e -> f -> e/,
    ],
    ['itself', () => ensemble('e', ['e']), /over each other: e -> e/],
    [
      'instances',
      () => ensemble('e', ['a'], 'instance_group [ { count: 1 } ]'),
      /instance_group belongs to the models/,
    ],
    [
      'a warm-up',
      () => ensemble('e', ['a'], 'model_warmup [ { name: "w" batch_size: 1 } ]'),
      /model_warmup belongs to/,
    ],
    ['another backend', () => ensemble('e', ['a'], 'backend: "onnxruntime"'), /needs the platform 'ensemble'/],
    [
      'an SLO',
      () =>
        ensemble(
          'e',
          ['a'],
          'parameters { key: "k" value { string_value: "v" } } optimization { priority: PRIORITY_MAX }',
        ),
      /optimization belongs/,
    ],
  ])('over %s is refused', async (_, write, message) => {
    folder.model('a');
    write();
    const models = await started();
    await expect(models.load('e', PLAIN)).rejects.toThrow(message);
    expect(reason(models, 'e')).toMatch(message);
    expect(states(models)).toContain('e UNAVAILABLE');
  });

  it('without steps is refused', async () => {
    folder.write('e/1/.keep', '');
    folder.write('e/config.pbtxt', `platform: "ensemble" ${io}`);
    const models = await started();
    await expect(models.load('e', PLAIN)).rejects.toThrow(/needs 'ensemble_scheduling'/);
  });

  it('that failed for want of a model is there when the model is', async () => {
    folder.model('a');
    ensemble('e', ['a', 'b']);
    const models = await started();
    await expect(models.load('e', PLAIN)).rejects.toThrow(/no repository has it/);
    folder.model('b');
    await models.load('b', PLAIN);
    await new Promise<void>((resolve) => {
      const wait = () => (models.readyVersions('e').length > 0 ? resolve() : void setImmediate(wait));
      wait();
    });
    expect(states(models)).toContain('e READY');
  });

  it('that was unloaded does not come back with its models', async () => {
    folder.model('a');
    ensemble('e', ['a']);
    const models = await started();
    await models.load('e', PLAIN);
    await models.unload('e', false);
    await models.load('a', PLAIN);
    await new Promise((resolve) => setImmediate(resolve));
    expect(states(models)).toEqual(['a READY', 'e UNAVAILABLE']);
  });

  it('takes the models along that it brought and nobody else asked for or uses', async () => {
    folder.model('asked').model('brought').model('shared');
    ensemble('e', ['asked', 'brought', 'shared']);
    ensemble('f', ['shared']);
    const models = await started();
    await models.load('asked', PLAIN);
    await models.load('e', PLAIN);
    await models.load('f', PLAIN);
    await models.unload('e', true);
    expect(states(models)).toEqual(['asked READY', 'brought UNAVAILABLE', 'e UNAVAILABLE', 'f READY', 'shared READY']);
  });

  it('drains before its models', async () => {
    folder.model('a');
    ensemble('inner', ['a']);
    ensemble('outer', ['inner']);
    const models = await started({ controlMode: 'none' });
    await models.drain(1000);
    expect(host.events.filter((event) => event.startsWith('drain'))).toEqual([
      'drain outer/1',
      'drained outer/1',
      'drain inner/1',
      'drained inner/1',
      'drain a/1',
      'drained a/1',
    ]);
  });
});
