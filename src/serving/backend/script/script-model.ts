import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  isDataType,
  type ModelSignature,
  type OpenRequest,
  type Parameters,
  ServingError,
  type SignatureTensor,
} from '../../../core/index.js';
import type { OpenThreadModel, PartOutlet, ThreadBatch, ThreadModel, ThreadTensor } from '../thread-model.js';
import { scriptInputs } from './script-inputs.js';
import { scriptMessage } from './script-message.js';
import { scriptOutputs } from './script-outputs.js';

/** What a script's `load` is given. */
interface ScriptContext {
  readonly model: string;
  readonly version: number;
  /** Absolute path of the version's folder. */
  readonly folder: string;
  /** Index of the instance: 0 to count - 1. */
  readonly instance: number;
  /** The config's `parameters`. */
  readonly parameters: Readonly<Record<string, string>>;
}

interface ScriptModule {
  readonly load?: (context: ScriptContext) => unknown;
  readonly infer: (batch: unknown) => unknown;
  readonly unload?: () => unknown;
  readonly inputs?: unknown;
  readonly outputs?: unknown;
}

/** Imports a script model and calls its `load`. Throws MODEL_INVALID with the script's own message. */
export const openThreadModel: OpenThreadModel = async (request, instance): Promise<ThreadModel> => {
  const { id, parameters, modelPath } = request;
  const module = scriptModule(await guarded('cannot be loaded', () => import(pathToFileURL(modelPath).href)));
  const context = { model: id.model, version: id.version, folder: dirname(modelPath), instance, parameters };
  const declared = ((await guarded('failed in load', () => module.load?.(context))) ?? {}) as Partial<ScriptModule>;
  const signature: ModelSignature = {
    inputs: signatureTensors('inputs', declared.inputs ?? module.inputs),
    outputs: signatureTensors('outputs', declared.outputs ?? module.outputs),
  };
  return new ScriptModel(module, signature, fallbackOf(request));
};

class ScriptModel implements ThreadModel {
  readonly signature: ModelSignature;
  readonly providers = { javascript: 1 };
  readonly fallback: string | undefined;
  readonly #module: ScriptModule;

  constructor(module: ScriptModule, signature: ModelSignature, fallback: string | undefined) {
    this.#module = module;
    this.signature = signature;
    this.fallback = fallback;
  }

  async infer(batch: ThreadBatch): Promise<readonly ThreadTensor[]> {
    const { outputs, rows } = batch;
    const result = await inScript(() => this.#module.infer(given(batch)));
    return scriptOutputs(result, outputs, rows);
  }

  async stream(batch: ThreadBatch, outlet: PartOutlet): Promise<readonly ThreadTensor[]> {
    const { outputs, rows } = batch;
    const { signal } = outlet;
    const answer = await inScript(() => this.#module.infer({ ...given(batch), signal }), signal);
    const responses = iteratorOf(answer);
    if (responses === undefined) return answer === undefined ? [] : scriptOutputs(answer, outputs, rows);
    let ended = false;
    try {
      while (!signal.aborted) {
        const { done, value } = await inScript(() => responses.next(), signal);
        ended = done === true;
        if (!ended) await outlet.emit(scriptOutputs(value, outputs, rows));
        else return value === undefined ? [] : scriptOutputs(value, outputs, rows);
      }
      throw new ServingError('CLIENT_CANCELLED', 'the request was cancelled');
    } catch (thrown) {
      // A generator that threw has ended; one that is left is told so, for its `finally` to run.
      if (!ended) await inScript(() => responses.return?.(), signal);
      throw thrown;
    }
  }

  async close(): Promise<void> {
    await this.#module.unload?.();
  }
}

/** What `infer` is given of a batch. */
function given({ inputs, rows = 1, parameters = new Array<Parameters>(rows).fill(NO_PARAMETERS) }: ThreadBatch) {
  return { rows, inputs: scriptInputs(inputs), parameters };
}

const NO_PARAMETERS: Parameters = Object.freeze({});

/** Calls the script. The console goes to the server's log; the caller gets the message alone. */
async function inScript<T>(call: () => T | Promise<T>, signal?: AbortSignal): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    // What it throws because it was told to stop is no failure.
    if (signal?.aborted === true) throw new ServingError('CLIENT_CANCELLED', 'the request was cancelled');
    console.error(thrown);
    throw new ServingError('BACKEND_FAILED', `the script failed: ${scriptMessage(thrown)}`);
  }
}

type Responses = Iterator<unknown, unknown> | AsyncIterator<unknown, unknown>;

/** The responses of a generator, sync or async; undefined: `infer` gave one answer itself. */
function iteratorOf(answer: unknown): Responses | undefined {
  if (typeof answer !== 'object' || answer === null || ArrayBuffer.isView(answer) || Array.isArray(answer))
    return undefined;
  const { [Symbol.asyncIterator]: later, [Symbol.iterator]: now } = answer as {
    [Symbol.asyncIterator]?: () => Responses;
    [Symbol.iterator]?: () => Responses;
  };
  return later?.call(answer) ?? now?.call(answer);
}

async function guarded<T>(what: string, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    console.error(thrown);
    throw new ServingError('MODEL_INVALID', `the script ${what}: ${scriptMessage(thrown)}`);
  }
}

/** The exports of an ES module, or of a CommonJS one (`module.exports` stands under `default`). */
function scriptModule(exported: object): ScriptModule {
  const module = { ...(exported as { default?: object }).default, ...exported } as Partial<ScriptModule>;
  for (const name of ['load', 'infer', 'unload'] as const) {
    if (module[name] === undefined && name !== 'infer') continue;
    if (typeof module[name] === 'function') continue;
    throw new ServingError('MODEL_INVALID', `a script model must export a function '${name}'`);
  }
  return module as ScriptModule;
}

/** Scripts run on the CPU; a version that asks for another device says so in its status, or refuses to load. */
function fallbackOf({ instances, provider }: OpenRequest): string | undefined {
  const other = instances.find((group) => group.device !== 'cpu');
  if (other === undefined) return undefined;
  if (provider.onGpuError === 'cpu') return `script models run on the CPU, not on ${other.device}`;
  throw new ServingError('UNSUPPORTED', `script models run on the CPU; instance group asks for ${other.device}`);
}

/** A declared signature: `[{ name, dataType, dims, optional? }]`, `dims` with the batch axis, -1 = any size. */
function signatureTensors(side: 'inputs' | 'outputs', declared: unknown): SignatureTensor[] {
  if (declared === undefined) return [];
  if (!Array.isArray(declared)) throw invalid(`'${side}' must be an array`);
  return declared.map((item: unknown, index) => {
    const at = `${side}[${index}]`;
    const { name, dataType, dims, optional } = (item ?? {}) as Record<string, unknown>;
    if (typeof name !== 'string' || name === '') throw invalid(`${at} has no name`);
    if (!isDataType(dataType)) throw invalid(`${at} '${name}': '${String(dataType)}' is no data type`);
    const sizes: readonly unknown[] | undefined = Array.isArray(dims) ? dims : undefined;
    if (dims !== undefined && sizes?.every((d) => Number.isSafeInteger(d) && (d as number) >= -1) !== true) {
      throw invalid(`${at} '${name}': dims must be whole numbers, -1 where any size goes`);
    }
    return {
      name,
      dataType,
      foreignType: undefined,
      dims: sizes as readonly number[] | undefined,
      optional: optional === true,
    };
  });
}

function invalid(message: string): ServingError {
  return new ServingError('MODEL_INVALID', `the script's signature: ${message}`);
}
