import { type ModelSpec, ServingError, type TextModel, type TextTask } from '../../../core/index.js';
import type { TextOptions } from '../http/http-options.js';
import type { SpecPort } from '../ports.js';

/** A model that serves texts. */
export interface ServedTexts {
  readonly spec: ModelSpec;
  readonly text: TextModel;
}

/** What names of models are looked up by. */
export interface TextModels {
  readonly specs: Pick<SpecPort, 'specOf' | 'textModels'>;
  readonly texts: TextOptions;
}

/** Which settings names the model of a task where a request names none. */
const SETTINGS: Readonly<Record<TextTask, string>> = {
  embed: '--embedding-model',
  sparse: '--sparse-model',
  rerank: '--rerank-model',
  classify: '--classify-model',
};

/**
 * The model that a request names, or, where it names none, the one that the server is told to take for the task, or the only one of
 * that task. Throws, or rejects with, MODEL_NOT_FOUND, MALFORMED_REQUEST (several, or another task), and what a request
 * to a model that does not serve is refused with.
 */
export async function servedTexts(
  { specs, texts }: TextModels,
  named: string,
  tasks: readonly TextTask[],
): Promise<ServedTexts> {
  const told = tasks.map((task) => texts.models[task]).find((name) => name !== undefined);
  const model = named === '' ? (told ?? onlyModel(specs.textModels(), tasks)) : named;
  const spec = await specs.specOf(model, undefined);
  const { text } = spec;
  if (text === undefined || !tasks.includes(text.task))
    throw new ServingError(
      'MALFORMED_REQUEST',
      `'model': expected one of task ${tasks.join(' or ')}, found '${model}', ${text === undefined ? 'which is no model of texts: its config has no text' : `one of task ${text.task}`}`,
    );
  return { spec, text };
}

/** The same of any task: where none is named, of the tasks in turn that has one. */
export async function anyTexts(server: TextModels, model: string): Promise<ServedTexts> {
  if (model !== '') return servedTexts(server, model, ANY);
  const { specs, texts } = server;
  const served = specs.textModels();
  const task = ANY.find((one) => texts.models[one] !== undefined || served.some(({ text }) => text?.task === one));
  return servedTexts(server, '', task === undefined ? ANY : [task]);
}

const ANY: readonly TextTask[] = ['embed', 'sparse', 'rerank', 'classify'];

function onlyModel(all: readonly ModelSpec[], tasks: readonly TextTask[]): string {
  const names = all.filter(({ text }) => text !== undefined && tasks.includes(text.task)).map(({ id }) => id.model);
  const [only, ...others] = names;
  if (only === undefined)
    throw new ServingError('MODEL_NOT_FOUND', `no model of task ${tasks.join(' or ')} is served here`);
  if (others.length > 0)
    throw new ServingError(
      'MALFORMED_REQUEST',
      `'model': expected one of ${names.sort().join(', ')}, found nothing; ${SETTINGS[tasks[0] as TextTask]} says which is meant then`,
    );
  return only;
}

/** What is put before each text. Throws MALFORMED_REQUEST for a name that the config has not. */
export function promptOf({ prompts, defaultPrompt }: TextModel, asked: string | undefined): string {
  const name = asked ?? defaultPrompt;
  if (name === undefined) return '';
  const prompt = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
  if (prompt === undefined) {
    const names = Object.keys(prompts).join(', ') || 'none: the model has no prompts';
    throw new ServingError('MALFORMED_REQUEST', `'prompt_name': expected one of ${names}, found '${name}'`);
  }
  return prompt;
}
