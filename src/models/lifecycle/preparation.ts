import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ModelConfig } from '../../config/index.js';
import {
  type Decoupled,
  ENSEMBLE_PLATFORM,
  type EnsembleStep,
  type ModelVersionId,
  type OpenedModel,
  ServingError,
  type SignatureTensor,
  type TextModel,
  type VersionPlan,
} from '../../core/index.js';
import { completeTensors } from '../completion/complete-tensors.js';
import type { CompletedTensors } from '../completion/config-parts.js';
import { decoupledOf, slotsOf } from '../completion/decoupled.js';
import { ensembleStepsOf, isEnsemble } from '../completion/ensemble-steps.js';
import { imageRecipesOf } from '../completion/image-recipes.js';
import { type CompletedGroups, completeGroups, type DeviceDefaults } from '../completion/instance-groups.js';
import { readLabels } from '../completion/labels.js';
import {
  defaultMaxBatchSizeOf,
  type OpenDefaults,
  type OpenOptions,
  openOptionsOf,
} from '../completion/open-options.js';
import { plainAnswerOf } from '../completion/plain-answer.js';
import { batchingOfSequences, sequencePlanOf } from '../completion/sequence-plan.js';
import { shownSignature } from '../completion/sequence-tensors.js';
import { shapePolicyOf } from '../completion/shape-policy.js';
import { shownConfig } from '../completion/shown-config.js';
import { signaturesOf } from '../completion/signatures.js';
import { specOf } from '../completion/spec-of.js';
import { checkTextPolicies, paddingOfTexts, textModelOf } from '../completion/text-model.js';
import { checkOnnxFile } from '../integrity/index.js';
import { chooseEngine, type Engine } from '../repository/backend-choice.js';
import type { ModelFile, ModelSource } from '../repository/model-source.js';
import { type InspectTokenizer, readTokenizer } from '../repository/tokenizer-file.js';
import { type WarmSample, warmSamples } from '../warmup/warm-samples.js';

/** What a model's config may leave to the server. */
export interface PreparationDefaults extends DeviceDefaults, OpenDefaults {
  readonly engine: Engine;
  readonly autoComplete: boolean;
  readonly sloMs: number;
  readonly costSweepMs: number;
  /** Undefined: nobody sends texts, and models are only their tensors. */
  readonly inspectTokenizer: InspectTokenizer | undefined;
}

/** A version whose file is open, before its config is complete. */
export interface Opening {
  readonly id: ModelVersionId;
  readonly opened: OpenedModel;
  readonly file: ModelFile;
  readonly groups: CompletedGroups;
  readonly options: OpenOptions;
  readonly engine: string;
  readonly modelBytes: number;
  /** Of an ensemble; absent: it is none. */
  readonly steps?: readonly EnsembleStep[];
  /** Undefined: a request has one answer. */
  readonly decoupled?: Decoupled | undefined;
}

/** All that hosting and showing a version takes. */
export interface PreparedVersion {
  readonly plan: VersionPlan;
  readonly samples: readonly WarmSample[];
  /** The completed config in Triton's JSON form. */
  readonly shown: Readonly<Record<string, unknown>>;
  readonly engine: string;
}

/** Turns files into something to host: everything between a version's folder and its lanes that a config decides. */
export class Preparation {
  readonly #defaults: PreparationDefaults;

  constructor(defaults: PreparationDefaults) {
    this.#defaults = defaults;
  }

  /** Checks the file and opens it. Throws MODEL_INVALID, UNSUPPORTED, and what the backend throws. */
  async open(id: ModelVersionId, source: ModelSource): Promise<Opening> {
    const { config } = source.found;
    if (isEnsemble(config)) return this.#ensemble(id, source);
    const file = await source.modelFile(id.version);
    const decoupled = decoupledOf(config, file.family.name);
    const groups = completeGroups(config, id.model, this.#defaults);
    const options = openOptionsOf(config, file.family.name, this.#defaults);
    const { engine, backend } = chooseEngine(file.family, options.engine, this.#defaults.engine);
    let externalFiles: readonly string[] | undefined;
    if (file.family.files.some((name) => name.endsWith('.onnx'))) {
      externalFiles = await checkOnnxFile(file.path, `model file ${id.model}/${id.version}/${file.file}`);
    }
    const opened = await backend.open({
      id,
      backend: file.family.name,
      engine,
      modelPath: file.path,
      ...(externalFiles === undefined ? {} : { externalFiles }),
      instances: groups.instances,
      provider: options.provider,
      parameters: options.parameters,
      graphLevel: options.graphLevel,
      maxExecutionMs: options.maxExecutionMs,
      ...(decoupled === undefined ? {} : { decoupled }),
    });
    const named = file.family.engines.size > 1 || file.family.name === 'onnxruntime' ? engine : file.family.name;
    const modelBytes = await bytesOf([
      file.path,
      ...(externalFiles ?? []).map((name) => join(dirname(file.path), name)),
    ]);
    return { id, opened, file, groups, options, engine: named, modelBytes, decoupled };
  }

  /** Nothing is opened: what it runs are requests for other models. */
  #ensemble(id: ModelVersionId, { found: { config } }: ModelSource): Opening {
    return {
      id,
      opened: NOTHING_OPEN,
      file: { path: '', file: '', family: { name: '', platform: ENSEMBLE_PLATFORM, files: [], engines: new Map() } },
      groups: { instances: [], config: [] },
      options: openOptionsOf(config, ENSEMBLE_PLATFORM, this.#defaults),
      engine: ENSEMBLE_PLATFORM,
      modelBytes: 0,
      steps: ensembleStepsOf(config),
    };
  }

  /** Completes the config from the open model. The caller closes the model where this throws MODEL_INVALID. */
  async complete(opening: Opening, source: ModelSource): Promise<PreparedVersion> {
    const { id, opened, file, groups, steps, decoupled } = opening;
    const { config } = source.found;
    const defaultSize = defaultMaxBatchSizeOf(file.family.name, this.#defaults);
    const signature = shownSignature(config, opened.signature);
    const completed = completeTensors(config, signature, defaultSize, this.#defaults.autoComplete);
    const batching = config.sequence_batching;
    const tensors = batching === undefined ? completed : { ...completed, dynamicBatching: undefined };
    if (tensors.outputs.length === 0) throw new ServingError('MODEL_INVALID', 'the model has no output');
    const { name: backend, platform } = file.family;
    const { text, padding } = await this.#texts(config, tensors, source, id.model);
    // Of an ensemble the models plan, each by its own; how long a generation takes is not predicted.
    const planned = steps === undefined && decoupled === undefined && batching?.iterative_sequence !== true;
    const sloMs = planned ? (config.slo_ms ?? this.#defaults.sloMs) : 0;
    const gathering = batching && { ...tensors, dynamicBatching: batchingOfSequences(batching, tensors.maxBatchSize) };
    const spec = specOf(gathering ?? tensors, {
      id,
      platform,
      backend,
      source: source.found.source,
      aims: {
        sloMs,
        split: config.split_large_requests ?? false,
        ...(config.batch_limit === undefined ? {} : { batchLimit: config.batch_limit }),
      },
      decoupled: config.model_transaction_policy?.decoupled === true,
      alone: decoupled !== undefined,
      shapes: shapePolicyOf({ ...config, padding }, tensors),
      text,
      labels: await readLabels(source.place, id.model, tensors.outputs),
      images: imageRecipesOf(config, tensors),
      plainAnswer: plainAnswerOf(config, tensors),
      signatures: signaturesOf(config, tensors),
      explainer: config.explainer,
      sequences: batching !== undefined,
      scalars: scalarsOf([...opened.signature.inputs, ...opened.signature.outputs]),
    });
    const plansByCost = sloMs > 0 || config.batch_limit === 'auto';
    const plan = {
      spec,
      instances: slotsOf(groups.instances, decoupled),
      // The backend limits the time without a response.
      maxExecutionMs: decoupled === undefined ? opening.options.maxExecutionMs : 0,
      deviceWeight: config.device_weight ?? 1,
      costSweepMs: config.cost_sweep_ms ?? (plansByCost ? this.#defaults.costSweepMs : 0),
      modelBytes: opening.modelBytes,
      ...(steps === undefined ? {} : { steps }),
      ...(batching && {
        sequences: await sequencePlanOf(config, batching, tensors, opened.signature, source.place),
      }),
      ...reuseOf(config),
    };
    return {
      plan,
      samples: await warmSamples(config.model_warmup ?? [], spec, source.place),
      shown: shownConfig(config, {
        name: id.model,
        platform,
        backend,
        modelFile: file.file,
        tensors,
        groups: groups.config,
      }),
      engine: opening.engine,
    };
  }

  /** What a model of texts is to the protocols of texts, and how they share batches. */
  async #texts(
    config: ModelConfig,
    tensors: CompletedTensors,
    { place }: ModelSource,
    model: string,
  ): Promise<{ readonly text: TextModel | undefined; readonly padding: ModelConfig['padding'] }> {
    const { inspectTokenizer } = this.#defaults;
    const { text, padding } = config;
    checkTextPolicies(config);
    if (text === undefined || inspectTokenizer === undefined) return { text: undefined, padding };
    const found = await readTokenizer(place, model, text.tokenizer || 'tokenizer.json', inspectTokenizer);
    const completed = textModelOf(text, tensors, found);
    const derived = paddingOfTexts(completed, tensors, found.facts.padId, text.max_batch_tokens);
    return { text: completed, padding: padding ?? derived };
  }
}

function reuseOf({ response_cache: kept, coalesce = false }: ModelConfig): Pick<VersionPlan, 'reuse'> {
  const cache = kept?.enable ?? false;
  return cache || coalesce ? { reuse: { cache, coalesce } } : {};
}

const NOTHING_OPEN: OpenedModel = {
  signature: { inputs: [], outputs: [] },
  providers: {},
  fallback: undefined,
  lanesPerInstance: 0,
  createLane: () => Promise.reject(new Error('an ensemble has no lanes')),
  close: () => Promise.resolve(),
};
async function bytesOf(files: readonly string[]): Promise<number> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

function scalarsOf(tensors: readonly SignatureTensor[]): ReadonlySet<string> {
  return new Set(tensors.filter((tensor) => tensor.dims?.length === 0).map((tensor) => tensor.name));
}
