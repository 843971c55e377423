import {
  type LoadParameters,
  parseVersion,
  ServingError,
  shownText,
  toServingError,
  wrongName,
} from '../../core/index.js';

/** Parameters of a load or an unload as they came: base64 text for files in JSON, bytes in gRPC. */
export type RepositoryParameters = Readonly<Record<string, unknown>>;

const FILE_PREFIX = 'file:';

/**
 * Reads the parameters of a load: `config`, a ModelConfig as JSON text, `file:<version>/<file name>`, each a file's
 * content, `version`, the only one to load, and `version_policy`, as a ModelConfig has it, as JSON text. Throws MALFORMED_REQUEST for anything else, for a
 * file name that is not a single visible path segment, for broken base64, for files without `config`, and for a policy beside another parameter.
 */
export function parseLoadParameters(parameters: RepositoryParameters): LoadParameters {
  const files = new Map<string, Uint8Array>();
  let config: string | undefined;
  let version: number | undefined;
  let versionPolicy: string | undefined;
  for (const [name, value] of Object.entries(parameters)) {
    if (name === 'config') config = jsonText(name, value, 'ModelConfig');
    else if (name === 'version_policy') versionPolicy = jsonText(name, value, 'version policy');
    else if (name === 'version') version = oneVersion(value);
    else if (name.startsWith(FILE_PREFIX)) files.set(filePath(name), fileContent(name, value));
    else
      throw malformed(
        `unknown parameter ${shownText(name)} of a load; known are config, file:<version>/<file name>, version and version_policy`,
      );
  }
  if (files.size > 0 && config === undefined) throw malformed('a load with files needs the parameter config too');
  if (versionPolicy === undefined) return { config, files, version };
  if (config !== undefined || version !== undefined)
    throw malformed(
      'the parameter version_policy of a load comes alone: a config has one of its own, a version is one',
    );
  return { config, files, version, versionPolicy };
}

/** The same, as the load of `model` fails by them: the message begins with that. */
export function parametersOfLoad(model: string, parameters: RepositoryParameters): LoadParameters {
  try {
    return parseLoadParameters(parameters);
  } catch (thrown) {
    throw malformed(`failed to load '${model}', ${toServingError(thrown).message}`);
  }
}

/** What an unload asks for. */
export interface UnloadParameters {
  readonly unloadDependents: boolean;
  /** Undefined = all. */
  readonly version: number | undefined;
}

/**
 * Reads the parameters of an unload: `unload_dependents`, a boolean, false where absent, and `version`, the only one to unload.
 * Throws MALFORMED_REQUEST.
 */
export function parseUnloadParameters(parameters: RepositoryParameters): UnloadParameters {
  let unloadDependents = false;
  let version: number | undefined;
  for (const [name, value] of Object.entries(parameters)) {
    if (name === 'version') version = oneVersion(value);
    else if (name !== 'unload_dependents')
      throw malformed(`unknown parameter ${shownText(name)} of an unload; known are unload_dependents and version`);
    else if (typeof value !== 'boolean')
      throw malformed(`the parameter unload_dependents is a ${typeof value}, expected a boolean`);
    else unloadDependents = value;
  }
  return { unloadDependents, version };
}

/** A version as JSON and gRPC have it: a number, or its digits. */
function oneVersion(value: unknown): number {
  if (typeof value === 'string' || typeof value === 'number') return parseVersion(String(value));
  throw malformed(`the parameter version is a ${typeof value}, expected a positive whole number`);
}

function jsonText(name: string, value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw malformed(`the parameter ${name} is a ${typeof value}, expected a string that holds a ${what} as JSON`);
}

/** `<version>/<file name>`, both checked, so that joining it to a model's folder cannot leave that folder. */
function filePath(name: string): string {
  const path = name.slice(FILE_PREFIX.length);
  const slash = path.indexOf('/');
  if (slash < 0) throw malformed(`the parameter ${shownText(name)} is not of the form file:<version>/<file name>`);
  const version = parseVersion(path.slice(0, slash));
  const file = path.slice(slash + 1);
  const wrong = wrongName(file);
  if (wrong !== undefined) throw malformed(`the file name in the parameter ${shownText(name)} ${wrong}`);
  return `${version}/${file}`;
}

function fileContent(name: string, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string')
    throw malformed(`the parameter ${shownText(name)} is a ${typeof value}, expected base64 text`);
  // Buffer skips what is not base64, so that a damaged file would load as a shorter one.
  if (value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
    throw malformed(`the parameter ${shownText(name)} is not base64 text`);
  return Buffer.from(value, 'base64');
}

function malformed(message: string): ServingError {
  return new ServingError('MALFORMED_REQUEST', message);
}
