import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Log, ModelSignature, ModelVersionId } from '../../../../core/index.js';
import { createSession, type OrtSession, releaseSession, type SessionRequest } from '../session.js';
import { readSignature } from '../signature.js';
import { trimMemory } from '../trim-memory.js';
import { ENTRY_DATA, ENTRY_MODEL } from './cache-entry.js';
import { type CompiledFrom, machineFacts, runtimeFacts, settingsFacts } from './cache-key.js';
import type { ModelCache } from './model-cache.js';

export interface CompiledSessionRequest {
  readonly session: SessionRequest;
  readonly cache: ModelCache;
  /** Files of external data that the model names, relative to its folder. */
  readonly externalFiles: readonly string[];
  readonly id: ModelVersionId;
  readonly log: Log;
}

/** Level of a compiled model's load: its graph is optimised already, and a second pass would copy mapped weights. */
const NO_OPTIMISATION = 0;
/**
 * What the session that compiles writes beside the model. Not `session.save_external_prepacked_constant_initializers`:
 * a session on its files crashes in ONNX Runtime 1.30 (`decisions/0007`).
 */
const COMPILE_CONFIG = [
  ['session.optimized_model_external_initializers_file_name', ENTRY_DATA],
  // Smaller ones stay in the model file: shapes and axes, which are read while it loads.
  ['session.optimized_model_external_initializers_min_size_in_bytes', '1024'],
] as const;
/** With this entry the model file may be of another format than ONNX. */
const MODEL_FORMAT = 'session.load_model_format';

/**
 * A session on the compiled form of a model: made at the first load, mapped from the cache's folder ever after. Whatever
 * goes wrong with the cache, the session is created from the model itself, and the log says so. Throws what
 * `createSession` throws.
 */
export async function createCompiledSession(request: CompiledSessionRequest): Promise<OrtSession> {
  const { session, cache, id, log } = request;
  const modelBytes = await bytesOf(request).catch(() => 0); // Not there: `createSession` says it better.
  if (session.settings.sessionConfig.has(MODEL_FORMAT) || !cache.admits(modelBytes)) return createSession(session);
  let from: CompiledFrom | undefined;
  try {
    from = await factsOf(request);
    if (cache.refuses(from)) return await createSession(session);
    return await openEntry(request, from, modelBytes);
  } catch (cause) {
    // A model that ONNX Runtime refuses ends here too: its own load gives the reason, and no line about the cache.
    const plain = await createSession(session);
    if (from !== undefined) cache.refuse(from);
    log.warn('the model cache cannot be used; the model was loaded without', { ...id, cause });
    return plain;
  }
}

/** A session on the entry, which is made where there is none. Throws where that fails; no entry is left then. */
async function openEntry(request: CompiledSessionRequest, from: CompiledFrom, modelBytes: number): Promise<OrtSession> {
  const { session, cache } = request;
  let original: ModelSignature | undefined;
  const found = await cache.find(from);
  const made =
    found ??
    (await cache.build(from, modelBytes, async (folder) => {
      original = await compile(session, folder);
      if (!isDeepStrictEqual(from, await factsOf(request))) throw new Error('the model was written meanwhile');
    }));
  // Not made by this call: another one's, or another process's, which is checked like any.
  const folder = made ?? (await cache.find(from));
  if (folder === undefined) throw new Error('the entry did not last');
  try {
    const loaded = await load(session, folder);
    if (original === undefined || isDeepStrictEqual(original, readSignature(loaded.library, loaded.address))) {
      return loaded;
    }
    await releaseSession(loaded);
    throw new Error('the inputs or outputs changed when the model was compiled');
  } catch (thrown) {
    await cache.discard(from);
    throw thrown;
  }
}

/** Writes the compiled form of the model to `folder`; the signature of the model itself. */
async function compile(request: SessionRequest, folder: string): Promise<ModelSignature> {
  const saveTo = join(folder, ENTRY_MODEL);
  const compiler = await createSession({ ...request, config: [...request.config, ...COMPILE_CONFIG], saveTo });
  try {
    return readSignature(compiler.library, compiler.address);
  } finally {
    await releaseSession(compiler);
    await trimMemory();
  }
}

async function load(request: SessionRequest, folder: string): Promise<OrtSession> {
  const settings = { ...request.settings, graphOptimization: NO_OPTIMISATION };
  // None where all weights are small.
  const mappedBytes = await stat(join(folder, ENTRY_DATA)).then(
    ({ size }) => size,
    () => 0,
  );
  return createSession({ ...request, settings, mappedBytes, modelPath: join(folder, ENTRY_MODEL) });
}

async function factsOf(request: CompiledSessionRequest): Promise<CompiledFrom> {
  const { modelPath, library, settings } = request.session;
  const digests = await request.cache.open();
  const folder = dirname(modelPath);
  const external: [string, string][] = [];
  for (const name of request.externalFiles) external.push([name, await digests.digest(join(folder, name))]);
  return {
    model: await digests.digest(modelPath),
    external,
    runtime: runtimeFacts(library),
    machine: machineFacts(),
    provider: 'CPUExecutionProvider',
    settings: settingsFacts(settings),
  };
}

async function bytesOf(request: CompiledSessionRequest): Promise<number> {
  const { modelPath } = request.session;
  const paths = [modelPath, ...request.externalFiles.map((name) => join(dirname(modelPath), name))];
  return (await Promise.all(paths.map((path) => stat(path)))).reduce((sum, { size }) => sum + size, 0);
}
