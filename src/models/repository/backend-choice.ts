import { extname } from 'node:path';
import type { ModelConfig } from '../../config/index.js';
import { type Backend, ServingError } from '../../core/index.js';

export type Engine = 'native' | 'node';

/** Backends of one kind of model: the same files and platform, by engine. */
export interface BackendFamily {
  readonly name: string;
  readonly platform: string;
  readonly files: readonly string[];
  readonly engines: ReadonlyMap<Engine, Backend>;
}

const NODE_SUFFIX = '-node';

/** Groups backends: `onnxruntime` and `onnxruntime-node` are two engines of one family. */
export function familiesOf(backends: readonly Backend[]): readonly BackendFamily[] {
  const families = new Map<string, BackendFamily & { engines: Map<Engine, Backend> }>();
  for (const backend of backends) {
    const node = backend.name.endsWith(NODE_SUFFIX);
    const name = node ? backend.name.slice(0, -NODE_SUFFIX.length) : backend.name;
    const family = families.get(name) ?? {
      name,
      platform: backend.platform,
      files: backend.defaultModelFiles,
      engines: new Map(),
    };
    family.engines.set(node ? 'node' : 'native', backend);
    families.set(name, family);
  }
  return [...families.values()];
}

/**
 * Families that may serve a model, with the file names to look for, most wanted first. A config names its backend (or
 * `platform`), or its model file, or leaves both to what the version's folder holds. Throws MODEL_INVALID.
 */
export function candidateFamilies(
  families: readonly BackendFamily[],
  config: ModelConfig,
): readonly { readonly family: BackendFamily; readonly files: readonly string[] }[] {
  const file = config.default_model_filename || undefined;
  const backend = config.backend || undefined;
  const platform = config.platform || undefined;
  let fitting = families;
  if (backend !== undefined) fitting = fitting.filter((f) => f.name === backend || f.platform === backend);
  if (fitting.length === 0) throw unsupported(families, `backend '${backend}'`);
  if (platform !== undefined) {
    const before = fitting;
    fitting = fitting.filter((f) => f.platform === platform || f.name === platform);
    if (fitting.length === 0) {
      const known = families.some((f) => f.platform === platform);
      if (backend === undefined || !known) throw unsupported(families, `platform '${platform}'`);
      throw new ServingError(
        'MODEL_INVALID',
        `platform '${platform}' does not go with backend '${backend}', whose platform is '${before[0]?.platform}'`,
      );
    }
  }
  if (file === undefined) return fitting.map((family) => ({ family, files: family.files }));
  if (fitting.length > 1) fitting = fitting.filter((f) => f.files.some((known) => extname(known) === extname(file)));
  if (fitting.length === 0) throw unsupported(families, `model file '${file}' without a 'backend'`);
  return fitting.map((family) => ({ family, files: [file] }));
}

/**
 * The engine of a family. The one a config asks for must be there; the server's preference gives way to what is. Throws
 * UNSUPPORTED.
 */
export function chooseEngine(
  family: BackendFamily,
  asked: Engine | undefined,
  preferred: Engine,
): { readonly engine: Engine; readonly backend: Backend } {
  const engine = asked ?? (family.engines.has(preferred) ? preferred : ([...family.engines.keys()][0] as Engine));
  const backend = family.engines.get(engine);
  if (backend !== undefined) return { engine, backend };
  throw new ServingError(
    'UNSUPPORTED',
    `engine '${engine}' of backend '${family.name}' is not available here; available: ${[...family.engines.keys()].join(', ')}`,
  );
}

function unsupported(families: readonly BackendFamily[], what: string): ServingError {
  const known = families.map((f) => `${f.name} (platform ${f.platform}, file ${f.files.join(' or ')})`).join(', ');
  return new ServingError('MODEL_INVALID', `${what} is not supported; supported: ${known}`);
}
