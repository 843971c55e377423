import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { type ModelConfig, parseModelConfig } from '../../config/index.js';
import { ServingError, toServingError } from '../../core/index.js';
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
/** Folder of configs that are chosen by name. */
const VARIANTS = 'configs';
const MOST_CONFIG_BYTES = 8 * 1024 * 1024;

/**
 * Reads a model's config file, if it has one; both kinds at once are refused. `files`: names in its folder; `variant`: the name of
 * the config in `configs` that stands for it where the model has one. Throws MODEL_INVALID.
 */
export async function readModelConfig(
  place: ModelPlace,
  name: string,
  files: ReadonlySet<string>,
  variant?: string,
): Promise<FoundConfig> {
  const other = variant === undefined || !files.has(VARIANTS) ? undefined : await readVariant(place, name, variant);
  if (other !== undefined) return other;
  const found = (Object.keys(SYNTAXES) as (keyof typeof SYNTAXES)[]).filter((file) => files.has(file));
  const [file, second] = found;
  if (file === undefined) return { config: {}, warnings: [], source: 'model' };
  if (second !== undefined) {
    throw new ServingError('MODEL_INVALID', `model '${name}' has ${file} and ${second}; only one config is allowed`);
  }
  const shown = `${name}/${file}`;
  const text = (await readContained(place.root, place.folder, file, shown, MOST_CONFIG_BYTES)).toString('utf8');
  return checked(parseModelConfig(text, SYNTAXES[file], shown), place.adopted ? undefined : name, file);
}

/** Triton's `--model-config-name`; undefined where the model has no such config. */
async function readVariant(place: ModelPlace, name: string, variant: string): Promise<FoundConfig | undefined> {
  const file = `${VARIANTS}/${variant}.pbtxt`;
  if (!(await hasFile(place.folder, file))) return undefined;
  const shown = `${name}/${file}`;
  const text = (await readContained(place.root, place.folder, file, shown, MOST_CONFIG_BYTES)).toString('utf8');
  return checked(parseModelConfig(text, 'pbtxt', shown), place.adopted ? undefined : name, file);
}

async function hasFile(folder: string, file: string): Promise<boolean> {
  try {
    await fs.lstat(join(folder, file));
    return true;
  } catch {
    return false;
  }
}

/** The config of a load request, which stands for the stored one. Throws MODEL_INVALID. */
export function overridingConfig(json: string, name: string): FoundConfig {
  try {
    return checked(parseModelConfig(json, 'json', 'config of the load request'), name, 'load request');
  } catch (thrown) {
    const { reason, message } = toServingError(thrown);
    throw new ServingError(reason, `failed to load '${name}', ${message}`);
  }
}

/** The version policy of a load request, which stands for the stored one. Throws MALFORMED_REQUEST for what is none. */
export function overridingPolicy(json: string, name: string): ModelConfig['version_policy'] {
  let policy: unknown;
  try {
    policy = JSON.parse(json);
  } catch {
    throw new ServingError('MALFORMED_REQUEST', `the version policy of the load request for '${name}' is not JSON`);
  }
  try {
    return overridingConfig(JSON.stringify({ version_policy: policy }), name).config.version_policy;
  } catch (thrown) {
    throw new ServingError('MALFORMED_REQUEST', toServingError(thrown).message);
  }
}

function checked(
  parsed: { readonly config: ModelConfig; readonly warnings: readonly string[] },
  name: string | undefined,
  source: string,
): FoundConfig {
  const given = parsed.config.name;
  if (name !== undefined && given !== undefined && given !== '' && given !== name) {
    throw new ServingError('MODEL_INVALID', `the config names the model '${given}', its folder is '${name}'`);
  }
  return { ...parsed, source };
}
