import type { ModelSpec } from '../../../core/index.js';
import type { TextsServer } from './asked-texts.js';
import { anyTexts, type ServedTexts } from './text-model.js';

/** What text-embeddings-inference tells of its model and limits, less what only one of its protocols has. */
export interface TextInfo {
  readonly served: ServedTexts;
  /** Of the classes, or of the one score. */
  readonly labels: readonly string[];
  readonly dtype: string;
  readonly maxBatchTokens: number;
  /** Requests that its queue holds. */
  readonly maxConcurrentRequests: number;
}

/** Of the model that is named, or of the one that requests without a model get. */
export async function textInfo(server: TextsServer, model: string): Promise<TextInfo> {
  const served = await anyTexts(server, model);
  const { spec, text } = served;
  const { maxQueueSize } = spec.batching.defaultQueuePolicy;
  return {
    served,
    labels: spec.outputs.find(({ name }) => name === text.output)?.labels ?? ['LABEL_0'],
    dtype: dtypeOf(spec, text.output),
    maxBatchTokens: spec.batching.maxBatchTokens ?? spec.maxBatchSize * text.maxTokens,
    maxConcurrentRequests: maxQueueSize === 0 ? server.texts.maxQueueSize : maxQueueSize,
  };
}

/** An output's data type as transformers call it. */
function dtypeOf({ outputs }: ModelSpec, output: string): string {
  const type = outputs.find(({ name }) => name === output)?.dataType;
  return type === 'FP16' ? 'float16' : type === 'BF16' ? 'bfloat16' : type === 'FP64' ? 'float64' : 'float32';
}
