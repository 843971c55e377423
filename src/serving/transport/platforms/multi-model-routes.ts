import { ServingError } from '../../../core/index.js';
import { type Caller, GROUPS, RIGHTS } from '../../controlplane/index.js';
import type { ControlCallInput, ControlRoute } from '../http/control-exchange.js';
import type { Route } from '../http/routes.js';
import type { ControlPort } from '../ports.js';
import { memoryFailure } from './out-of-memory.js';

const DEFAULT_PAGE = 100;

/**
 * The calls by which Amazon SageMaker's endpoints of several models load and unload them. Who reaches this port is the platform, so they count
 * as made on this machine; a token that comes along is looked at all the same.
 */
export function multiModelCalls(): readonly Route[] {
  return [
    call('adoptedModels', 'GET', '/models', 'Models that are loaded', listed, {
      limit: 'Most models of an answer; default 100',
      next_page_token: 'nextPageToken of the answer before',
    }),
    call('adoptModel', 'POST', '/models', 'Load a model from a folder', async ({ server, body, caller }) => {
      const { model_name: model, url: folder } = body;
      try {
        await server.control.adoptModel(textOf('model_name', model), textOf('url', folder), onThisMachine(caller));
      } catch (thrown) {
        throw memoryFailure(thrown);
      }
      return { content: {} };
    }),
    call('adoptedModels', 'GET', '/models/:model', 'A model that is loaded', async ({ server, path }) => ({
      content: rowOf(await adopted(server.control, path.model)),
    })),
    call('repositoryUnload', 'DELETE', '/models/:model', 'Unload a model', async ({ server, path, caller }) => {
      await adopted(server.control, path.model);
      await server.control.repositoryUnload(path.model, { unload_dependents: true }, onThisMachine(caller));
      return { content: {} };
    }),
  ];
}

type Handled = ReturnType<ControlRoute['handle']>;

async function listed({ server, query }: ControlCallInput): Promise<Awaited<Handled>> {
  const from = wholeNumber('next_page_token', query('next_page_token'), 0);
  const limit = wholeNumber('limit', query('limit'), DEFAULT_PAGE);
  if (limit === 0) throw new ServingError('MALFORMED_REQUEST', 'limit is 0, expected at least 1');
  const models = await server.control.adoptedModels();
  const next = from + limit;
  return {
    content: {
      ...(next < models.length ? { nextPageToken: String(next) } : {}),
      models: models.slice(from, next).map(rowOf),
    },
  };
}

async function adopted(control: ControlPort, model: string) {
  const found = (await control.adoptedModels()).find((one) => one.model === model);
  if (found === undefined) throw new ServingError('MODEL_NOT_FOUND', `model '${model}' is not loaded`);
  return found;
}

function rowOf({ model, folder }: { readonly model: string; readonly folder: string }): object {
  return { modelName: model, modelUrl: folder };
}

function onThisMachine(caller: Caller): Caller {
  return { ...caller, loopback: true };
}

function textOf(key: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new ServingError(
    'MALFORMED_REQUEST',
    `"${key}" is ${value === '' ? 'empty' : `a ${value === null ? 'null' : typeof value}`}, expected a string`,
  );
}

function wholeNumber(name: string, text: string, absent: number): number {
  if (text === '') return absent;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ServingError(
    'MALFORMED_REQUEST',
    `${name} is ${JSON.stringify(text.slice(0, 40))}, expected a whole number`,
  );
}

function call(
  right: 'adoptedModels' | 'adoptModel' | 'repositoryUnload',
  method: ControlRoute['method'],
  pattern: string,
  summary: string,
  handle: (input: ControlCallInput) => Handled,
  query?: Readonly<Record<string, string>>,
): Route {
  return {
    kind: 'control',
    method,
    pattern,
    tag: 'repository',
    right: RIGHTS[right],
    group: GROUPS[right],
    summary,
    response: 'Empty',
    handle,
    ...(query === undefined ? {} : { query }),
  };
}
