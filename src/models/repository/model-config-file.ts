import { type ModelConfig, parseModelConfig } from '../../config/index.js';
import { ServingError } from '../../core/index.js';
import { readContained } from './contained-path.js';
import type { ModelPlace } from './folders.js';

/** A config as found, before completion. */
export interface FoundConfig {
  readonly config: ModelConfig;
  readonly warnings: readonly string[];
  /** `config.pbtxt`, `config.yaml`, `load request`, or `model` where the model file alone says it. */
  readonly source: string;
}

const SYNTAXES = { 'config.pbtxt': 'pbtxt', 'config.yaml': 'yaml' } as const;
const MOST_CONFIG_BYTES = 8 * 1024 * 1024;

/** Reads a model's config file, if it has one; both kinds at once are refused. `files`: names in its folder. Throws MODEL_INVALID. */
export async function readModelConfig(
  place: ModelPlace,
  name: string,
  files: ReadonlySet<string>,
): Promise<FoundConfig> {
  const found = (Object.keys(SYNTAXES) as (keyof typeof SYNTAXES)[]).filter((file) => files.has(file));
  const [file, other] = found;
  if (file === undefined) return { config: {}, warnings: [], source: 'model' };
  if (other !== undefined) {
    throw new ServingError('MODEL_INVALID', `model '${name}' has ${file} and ${other}; only one config is allowed`);
  }
  const shown = `${name}/${file}`;
  const text = (await readContained(place.root, place.folder, file, shown, MOST_CONFIG_BYTES)).toString('utf8');
  return checked(parseModelConfig(text, SYNTAXES[file], shown), name, file);
}

/** The config of a load request, which stands for the stored one. Throws MODEL_INVALID. */
export function overridingConfig(json: string, name: string): FoundConfig {
  return checked(parseModelConfig(json, 'json', `config of the load request for '${name}'`), name, 'load request');
}

function checked(
  parsed: { readonly config: ModelConfig; readonly warnings: readonly string[] },
  name: string,
  source: string,
): FoundConfig {
  const given = parsed.config.name;
  if (given !== undefined && given !== '' && given !== name) {
    throw new ServingError('MODEL_INVALID', `the config names the model '${given}', its folder is '${name}'`);
  }
  return { ...parsed, source };
}
