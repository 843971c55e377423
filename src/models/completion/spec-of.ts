import {
  type DataType,
  type DeclaredSignature,
  dataTypeOfTriton,
  type ImageRecipe,
  type LengthAxes,
  type ModelSpec,
  type ModelVersionId,
  type PlainAnswer,
  type TensorSpec,
  type TextModel,
} from '../../core/index.js';
import { type BatchAims, batchPolicyOf } from './batch-policy.js';
import type { Complete, CompletedTensors, ConfigInput, ConfigOutput } from './config-parts.js';
import type { ShapePolicy } from './shape-policy.js';

/** What a spec needs beside its tensors. */
export interface SpecFacts {
  readonly id: ModelVersionId;
  readonly platform: string;
  readonly backend: string;
  readonly source: string;
  readonly aims: BatchAims;
  readonly decoupled: boolean;
  /** Each of its requests is an execution of its own. */
  readonly alone: boolean;
  readonly shapes: ShapePolicy;
  readonly text: TextModel | undefined;
  /** Class names by output. */
  readonly labels: ReadonlyMap<string, readonly string[]>;
  /** Rank-0 tensors of the model, by name: clients may see them as [1], the model takes []. */
  readonly scalars: ReadonlySet<string>;
  /** By name of the input. */
  readonly images?: ReadonlyMap<string, ImageRecipe>;
  readonly plainAnswer?: PlainAnswer | undefined;
  readonly signatures?: readonly DeclaredSignature[] | undefined;
  readonly explainer?: string | undefined;
  /** It serves sequences; default no. */
  readonly sequences?: boolean;
}

/** The frozen spec that the data path serves by. Tensors stand in the order of the config, or of the model. Throws MODEL_INVALID. */
export function specOf(tensors: CompletedTensors, facts: SpecFacts): ModelSpec {
  return deepFreeze({
    id: facts.id,
    platform: facts.platform,
    backend: facts.backend,
    maxBatchSize: tensors.maxBatchSize,
    inputs: tensors.inputs.map((input) => {
      const image = facts.images?.get(input.name);
      const spec = tensorOf(input, facts, input.optional ?? false, undefined, facts.shapes.inputs);
      return image === undefined ? spec : { ...spec, image };
    }),
    outputs: tensors.outputs.map((output) =>
      tensorOf(output, facts, false, facts.labels.get(output.name), facts.shapes.outputs),
    ),
    batching: {
      ...batchPolicyOf(tensors.dynamicBatching, tensors.maxBatchSize, facts.aims),
      ...facts.shapes.batching,
      // Each has its own time; of `dynamic_batching` the queue's policies are left.
      ...(facts.alone ? { dynamic: false } : {}),
    },
    ...(facts.plainAnswer === undefined ? {} : { plainAnswer: facts.plainAnswer }),
    ...(facts.signatures === undefined ? {} : { signatures: facts.signatures }),
    ...(facts.explainer === undefined ? {} : { explainer: facts.explainer }),
    ...(facts.decoupled ? { decoupled: true } : {}),
    ...(facts.backend === 'script' ? { takesParameters: true as const } : {}),
    source: facts.source,
    ...(facts.text === undefined ? {} : { text: facts.text }),
    ...(facts.sequences === true ? { sequences: true as const } : {}),
  });
}

function tensorOf(
  tensor: Complete<ConfigInput> | Complete<ConfigOutput>,
  facts: SpecFacts,
  optional: boolean,
  labels: readonly string[] | undefined,
  lengths: ReadonlyMap<string, LengthAxes>,
): TensorSpec {
  const lengthAxes = lengths.get(tensor.name);
  return {
    name: tensor.name,
    dataType: dataTypeOfTriton(tensor.data_type) as DataType,
    dims: [...tensor.dims],
    modelDims: facts.scalars.has(tensor.name) ? [] : [...(tensor.reshape?.shape ?? tensor.dims)],
    optional,
    labels,
    ...(lengthAxes === undefined ? {} : { lengthAxes }),
  };
}

/** Maps stay as they are: they cannot be frozen, and nobody is given a mutable type of them. */
function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Map)) {
    for (const member of Object.values(value)) deepFreeze(member);
    Object.freeze(value);
  }
  return value;
}
